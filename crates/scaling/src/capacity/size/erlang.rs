//! Erlang's B and C by the recursion over servers, which never overflows: `1/B(c) = 1 + c/a · 1/B(c−1)`.

pub struct Erlang {
    /// Offered load in erlangs.
    load: f64,
    servers: u32,
    /// `1/B`, which grows; at infinity nothing is ever blocked.
    inverse_blocking: f64,
}

impl Erlang {
    pub fn new(load: f64) -> Self {
        Self {
            load,
            servers: 0,
            inverse_blocking: 1.0,
        }
    }

    pub fn add_server(&mut self) {
        self.servers += 1;
        self.inverse_blocking = 1.0 + f64::from(self.servers) / self.load * self.inverse_blocking;
    }

    pub fn servers(&self) -> u32 {
        self.servers
    }

    pub fn is_stable(&self) -> bool {
        f64::from(self.servers) > self.load
    }

    /// The chance to wait: `C = 1 / (ρ + (1−ρ)/B)`.
    pub fn waits(&self) -> f64 {
        let busy = self.load / f64::from(self.servers);
        1.0 / (busy + (1.0 - busy) * self.inverse_blocking)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(load: f64, servers: u32) -> f64 {
        let mut erlang = Erlang::new(load);
        for _ in 0..servers {
            erlang.add_server();
        }
        erlang.waits()
    }

    #[test]
    fn the_chance_to_wait_is_that_of_the_tables() {
        for (load, servers, table) in [
            (0.5, 1, 0.5),
            (2.0, 3, 0.444_444),
            (8.0, 10, 0.409_180),
            (180.0, 200, 0.094_471),
        ] {
            assert!(
                (waits(load, servers) - table).abs() < 1e-5,
                "{load} {servers}: {}",
                waits(load, servers)
            );
        }
        assert!(waits(1.0, 2_000) < 1e-100);
        assert!(waits(9_999.0, 10_000).is_finite());
    }
}
