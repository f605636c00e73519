//! [`Outlet`]: text for a terminal, a pipe or a file, whose reader may be slow or not there at all.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Writes text on a thread of its own, so that nobody waits for a pager that is paused or a terminal that is stopped.
///
/// Up to [`MOST_WAITING`] bytes wait to be written, or one text that is longer; what comes beyond that is left out, and a line
/// says how much that was.
#[derive(Clone)]
pub struct Outlet {
    shared: Arc<Shared>,
}

/// Bytes that wait for the reader.
pub const MOST_WAITING: usize = 4 << 20;

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines that found no room behind those.
    left_out: usize,
    is_writing: bool,
    /// The reader has gone: no reason to end anything, but nothing is written any more.
    is_broken: bool,
}

impl Outlet {
    /// Starts a thread that writes to `out`.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Outlet> {
        let shared = Arc::<Shared>::default();
        let own = Arc::clone(&shared);
        std::thread::Builder::new().name("outlet".into()).spawn(move || own.run(out))?;
        Ok(Outlet { shared })
    }

    /// Writes whole lines, some time soon.
    pub fn say(&self, text: &str) {
        let mut state = self.shared.lock();
        if text.is_empty() || state.is_broken {
            return;
        }
        // once something is left out, so is all that follows until there is room again: the order is kept
        let has_room = state.waiting.is_empty() || state.waiting.len() + text.len() <= MOST_WAITING;
        let is_full = state.left_out > 0 || !has_room;
        match is_full {
            true => state.left_out += text.lines().count(),
            false => state.waiting.extend_from_slice(text.as_bytes()),
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits until all is written, at most so long. Whether it was.
    pub fn flush(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut state = self.shared.lock();
        while !state.is_broken && (state.is_writing || !state.waiting.is_empty() || state.left_out > 0) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        !state.is_broken
    }
}

impl Shared {
    fn run(&self, mut out: impl Write) {
        let mut text = Vec::new();
        loop {
            let mut state = self.lock();
            while state.waiting.is_empty() && state.left_out == 0 {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::swap(&mut state.waiting, &mut text);
            let left_out = std::mem::take(&mut state.left_out);
            state.is_writing = true;
            drop(state);
            if left_out > 0 {
                let lines = if left_out == 1 { "line is" } else { "lines are" };
                text.extend_from_slice(
                    format!("... {left_out} {lines} left out: nobody read them in time\n").as_bytes(),
                );
            }
            let written = out.write_all(&text).and_then(|()| out.flush());
            text.clear();
            text.shrink_to(MOST_KEPT);
            let mut state = self.lock();
            state.is_writing = false;
            state.is_broken = written.is_err();
            let is_over = state.is_broken;
            if is_over {
                *state = State { is_broken: true, ..State::default() };
            }
            drop(state);
            self.changed.notify_all();
            if is_over {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Outlet {
    /// Takes whole lines of text.
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.say(&String::from_utf8_lossy(text));
        Ok(text.len())
    }

    /// Does nothing: the thread flushes what it writes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outlet")
    }
}

/// Memory that the thread keeps for the next text.
const MOST_KEPT: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Says what text it gets, and is done with it when it is allowed to be.
    struct Slow(Sender<String>, Receiver<()>);

    impl Write for Slow {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8_lossy(text).into_owned()).map_err(io::Error::other)?;
            self.1.recv().map_err(io::Error::other)?;
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_does_not_read_keeps_nobody_waiting() {
        let ((say, said), (allow, allowed)) = (channel(), channel());
        let outlet = Outlet::start(Slow(say, allowed)).unwrap();
        outlet.say("first\n");
        assert_eq!(said.recv().unwrap(), "first\n");
        // four wait, the rest finds no room
        let line = format!("{}\n", "x".repeat((1 << 20) - 1));
        (0..20).for_each(|_| outlet.say(&line));
        outlet.say("two\nlines\n");
        assert!(!outlet.flush(Duration::from_millis(10)));
        allow.send(()).unwrap();
        let all = said.recv().unwrap();
        assert_eq!(all.matches(&line).count(), 4);
        assert!(all.ends_with("... 18 lines are left out: nobody read them in time\n"));
        // one that is longer than all that may wait is not lost for that
        let long = line.repeat(5);
        outlet.say(&long);
        allow.send(()).unwrap();
        assert!(said.recv().unwrap() == long);
        allow.send(()).unwrap();
        assert!(outlet.flush(PATIENCE));
    }

    #[test]
    fn a_reader_that_has_gone_is_no_reason_to_wait() {
        let ((say, said), (allow, allowed)) = (channel(), channel());
        let outlet = Outlet::start(Slow(say, allowed)).unwrap();
        drop((allow, said));
        outlet.say("lost\n");
        assert!(!outlet.flush(PATIENCE));
        outlet.say("lost too\n");
        assert!(!outlet.flush(PATIENCE));
    }
}
