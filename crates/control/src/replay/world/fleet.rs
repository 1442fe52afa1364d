//! Replicas between being asked for and being gone.

use std::collections::VecDeque;

use super::TICK_SECONDS;

/// Replicas that become ready, or are gone, at a tick.
#[derive(Clone, Copy, Debug)]
struct Due {
    tick: u32,
    count: u32,
}

pub struct Fleet {
    desired: u32,
    ready: u32,
    starting: VecDeque<Due>,
    draining: VecDeque<Due>,
    /// Replica-ticks until the next failure; drawn again after each.
    until_failure: f64,
    ticks_between_failures: f64,
    starts: u32,
    drains: u32,
}

impl Fleet {
    pub fn new(ready: u32, failures_a_day: f64) -> Self {
        let ticks_a_day = 86_400.0 / TICK_SECONDS;
        Self {
            desired: ready,
            ready,
            starting: VecDeque::new(),
            draining: VecDeque::new(),
            until_failure: f64::INFINITY,
            ticks_between_failures: if failures_a_day > 0.0 {
                ticks_a_day / failures_a_day
            } else {
                f64::INFINITY
            },
            starts: 0,
            drains: 0,
        }
    }

    pub fn desired(&self) -> u32 {
        self.desired
    }

    pub fn ready(&self) -> u32 {
        self.ready
    }

    /// Everything that costs money.
    pub fn paid(&self) -> u32 {
        self.ready + self.starts + self.drains
    }

    /// Lets a tick pass and goes for the number that is wanted; how many replicas failed.
    pub fn lives(
        &mut self,
        tick: u32,
        wanted: u32,
        startup: u32,
        drain: u32,
        lost: f64,
        random: &mut fastrand::Rng,
    ) -> u32 {
        self.comes_due(tick);
        let failed = self.fails(lost, random);
        self.desired = wanted;
        let there = self.ready + self.starts;
        if there < wanted {
            self.start(tick + startup, wanted - there);
        } else {
            self.stop(tick + drain, there - wanted);
        }
        failed
    }

    fn comes_due(&mut self, tick: u32) {
        // Slow starts can overtake nothing: the first that was asked for is the first that is looked at.
        while let Some(due) = self
            .starting
            .front()
            .copied()
            .filter(|due| due.tick <= tick)
        {
            self.starting.pop_front();
            self.starts -= due.count;
            self.ready += due.count;
        }
        while let Some(due) = self
            .draining
            .front()
            .copied()
            .filter(|due| due.tick <= tick)
        {
            self.draining.pop_front();
            self.drains -= due.count;
        }
    }

    fn fails(&mut self, lost: f64, random: &mut fastrand::Rng) -> u32 {
        let mut failed = (f64::from(self.ready) * lost).round() as u32;
        if self.ticks_between_failures.is_finite() {
            if self.until_failure.is_infinite() {
                self.until_failure = self.draw(random);
            }
            self.until_failure -= f64::from(self.ready);
            while self.until_failure <= 0.0 && failed < self.ready {
                failed += 1;
                self.until_failure += self.draw(random);
            }
        }
        failed = failed.min(self.ready);
        self.ready -= failed;
        failed
    }

    fn draw(&self, random: &mut fastrand::Rng) -> f64 {
        -self.ticks_between_failures * (1.0 - random.f64()).ln()
    }

    fn start(&mut self, tick: u32, count: u32) {
        self.starts += count;
        self.starting.push_back(Due { tick, count });
    }

    /// What has not started yet goes first: it serves nobody.
    fn stop(&mut self, tick: u32, count: u32) {
        let mut left = count;
        while left > 0
            && let Some(last) = self.starting.back_mut()
        {
            let taken = left.min(last.count);
            last.count -= taken;
            self.starts -= taken;
            left -= taken;
            if last.count == 0 {
                self.starting.pop_back();
            }
        }
        let stopped = left.min(self.ready);
        if stopped > 0 {
            self.ready -= stopped;
            self.drains += stopped;
            self.draining.push_back(Due {
                tick,
                count: stopped,
            });
        }
    }
}
