//! [`Background`]: the thread that runs timers, ticks and callbacks of scripts.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::agenda::Answered;
use crate::script::Script;

/// Runs in the background for as long as it lives.
#[derive(Debug)]
#[must_use = "the thread ends when this is dropped"]
pub struct Background {
    bell: Arc<Notify>,
    is_over: Arc<AtomicBool>,
}

impl Background {
    pub(crate) fn start(scripts: Vec<Arc<Script>>, bell: Arc<Notify>) -> io::Result<Background> {
        let is_over = Arc::new(AtomicBool::new(false));
        let background = Background { bell: Arc::clone(&bell), is_over: Arc::clone(&is_over) };
        // a clock of its own: a script that is at work here keeps nobody else from theirs
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        std::thread::Builder::new()
            .name("scripts".into())
            .spawn(move || runtime.block_on(work(&scripts, &bell, &is_over)))?;
        Ok(background)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        self.bell.notify_one();
    }
}

async fn work(scripts: &[Arc<Script>], bell: &Notify, is_over: &AtomicBool) {
    let mut answers: JoinSet<(usize, Answered)> = JoinSet::new();
    while !is_over.load(Ordering::Acquire) {
        for (index, script) in scripts.iter().enumerate() {
            for gather in script.agenda().take() {
                answers.spawn(async move { (index, gather.complete().await) });
            }
        }
        let due = scripts.iter().filter_map(|script| script.next_due()).min();
        tokio::select! {
            () = bell.notified() => {}
            Some(Ok((index, answered))) = answers.join_next() => scripts[index].answered(answered),
            () = until(due) => scripts.iter().for_each(|script| script.run_due(Instant::now())),
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
