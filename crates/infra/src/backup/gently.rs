//! Long work beside the services, which it must not slow down.

use tokio::sync::oneshot;

/// Added to the thread's niceness: it runs when nobody else wants to.
const NICENESS: i32 = 15;

/// Runs blocking work on a thread of its own and of low priority.
///
/// # Panics
/// When the work does.
pub async fn gently<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = oneshot::channel();
    std::thread::spawn(move || {
        // On Linux this is about the calling thread alone. Where it is refused, the work is done all the same.
        let _ = rustix::process::nice(NICENESS);
        let _ = done.send(work());
    });
    result.await.expect("the work does not panic")
}
