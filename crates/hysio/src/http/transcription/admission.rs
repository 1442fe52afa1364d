//! Who may come in: a bounded number of recordings in the house, of which a smaller number is being heard.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::Error;

#[derive(Clone)]
pub struct Admission {
    places: Arc<Semaphore>,
    workers: Arc<Semaphore>,
    places_max: usize,
    #[cfg(test)]
    workers_max: usize,
}

/// A right to be in the house.
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

/// A right to be heard now.
pub struct Worker {
    _worker: OwnedSemaphorePermit,
    _place: Place,
}

impl Admission {
    pub fn new(workers: usize, waiting: usize) -> Self {
        let workers = workers.max(1);
        let places_max = workers + waiting;
        Self {
            places: Arc::new(Semaphore::new(places_max)),
            workers: Arc::new(Semaphore::new(workers)),
            places_max,
            #[cfg(test)]
            workers_max: workers,
        }
    }

    /// Never waits, so that a recording is not even received when nobody would hear it soon.
    pub fn enter(&self) -> Result<Place, Error> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        place
            .map(|permit| Place { _permit: permit })
            .map_err(|_| Error::Busy)
    }

    pub async fn worker(&self, place: Place) -> Worker {
        let worker = Arc::clone(&self.workers).acquire_owned().await;
        Worker {
            _worker: worker.expect("the semaphore is never closed"),
            _place: place,
        }
    }

    #[cfg(test)]
    pub fn workers_busy(&self) -> usize {
        self.workers_max - self.workers.available_permits()
    }

    pub fn taken(&self) -> usize {
        self.places_max - self.places.available_permits()
    }
}
