//! Faults without sockets: bytes come and leave, and a clock is set by hand.

use std::time::Duration;

use super::*;
use crate::fault::gate::MOST_MARKS;

/// A lane with faults whose socket takes everything, and a clock that is set by hand.
struct Line {
    stage: Stage,
    waiting: usize,
    start: Instant,
    now: Instant,
    /// What left, and how many milliseconds after the start.
    left: Vec<(u64, usize)>,
    struck: Option<Strike>,
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

impl Line {
    fn of(kinds: &[Kind]) -> Line {
        let mut stage = Stage::default();
        for &kind in kinds {
            stage.of_stream.push(Gate::of_stream(Fault::new(kind).seeded(42)));
        }
        let now = Instant::now();
        Line { stage, waiting: 0, start: now, now, left: Vec::new(), struck: None }
    }

    /// So many bytes come, with a fault that begins with them or without.
    fn comes(&mut self, bytes: usize, fault: Option<Kind>) {
        let faults = fault.map(|kind| Fault::new(kind).seeded(42)).into_iter().collect();
        self.stage.begin(faults, self.waiting, bytes);
        self.waiting += bytes;
        self.write();
    }

    fn write(&mut self) {
        loop {
            let count = self.stage.permit(self.waiting, self.now);
            if count == 0 {
                return;
            }
            self.stage.wrote(count);
            self.waiting -= count;
            self.left.push(((self.now - self.start).as_millis() as u64, count));
        }
    }

    /// Time passes, up to so many milliseconds after the start.
    fn until(&mut self, end: u64) {
        let end = self.start + ms(end);
        while let Some(due) = self.stage.due().filter(|due| *due <= end) {
            assert!(due >= self.now, "what is due is done");
            self.now = due;
            self.write();
            self.struck = self.struck.or(self.stage.strike(self.waiting, false, self.now));
            assert!(self.stage.due().is_none_or(|next| next > due), "a timer that changes nothing");
        }
        self.now = end;
        self.write();
    }

    fn strike(&mut self, at_end: bool) -> Option<Strike> {
        self.struck.take().or_else(|| self.stage.strike(self.waiting, at_end, self.now))
    }

    fn sizes(&self) -> Vec<usize> {
        self.left.iter().map(|(_, count)| *count).collect()
    }
}

const LATENCY: Kind = Kind::Latency { latency: Duration::from_millis(100), jitter: Duration::ZERO };

#[test]
fn latency_moves_everything_by_the_same_time() {
    let mut line = Line::of(&[LATENCY]);
    line.comes(10, None);
    line.until(30);
    line.comes(20, None);
    line.until(1000);
    assert_eq!(line.left, [(100, 10), (130, 20)]);
}

#[test]
fn jitter_changes_the_times_and_not_the_order() {
    let jittery = Kind::Latency { latency: ms(100), jitter: ms(90) };
    let run = || {
        let mut line = Line::of(&[jittery]);
        for count in 1..=50 {
            line.comes(count, None);
            line.until(10 * count as u64);
        }
        line.until(1000);
        line.left
    };
    let left = run();
    assert_eq!(left.iter().map(|(_, count)| count).sum::<usize>(), 50 * 51 / 2);
    let times: Vec<u64> = left.iter().map(|(at, _)| *at).collect();
    assert!(times.is_sorted() && times.windows(2).any(|pair| pair[1] - pair[0] != 10), "{times:?}");
    assert_eq!(left, run(), "the same seed has the same jitter");
}

#[test]
fn what_waits_for_many_moments_is_bounded() {
    let mut line = Line::of(&[LATENCY]);
    for count in 1..=2 * MOST_MARKS as u64 {
        line.now = line.start + Duration::from_micros(count);
        line.comes(1, None);
    }
    line.until(200);
    assert_eq!(line.left.len(), MOST_MARKS);
    assert_eq!(line.waiting, 0);
}

#[test]
fn bandwidth_lets_as_many_bytes_pass_as_there_is_time_for() {
    let mut line = Line::of(&[Kind::Bandwidth { rate: 10 }]);
    line.comes(2500, None);
    line.until(1000);
    assert_eq!(line.left, [(100, 1000), (200, 1000), (250, 500)]);
    // the line was idle meanwhile: nothing was saved up
    line.comes(1000, None);
    line.until(2000);
    assert_eq!(line.left[3..], [(1100, 1000)]);
}

#[test]
fn bandwidth_that_begins_with_a_command_is_for_all_that_follows() {
    let mut line = Line::of(&[]);
    line.comes(5000, None);
    line.comes(100, Some(Kind::Bandwidth { rate: 1 }));
    line.comes(50, None);
    line.comes(50, Some(Kind::Bandwidth { rate: 1 }));
    line.until(1000);
    assert_eq!(line.left, [(0, 5000), (100, 100), (200, 100)]);
}

#[test]
fn faults_of_one_stream_are_passed_one_behind_the_other() {
    let mut line = Line::of(&[LATENCY, Kind::Bandwidth { rate: 1 }]);
    line.comes(30, None);
    line.until(10);
    line.comes(30, None);
    line.until(1000);
    assert_eq!(line.left, [(130, 30), (160, 30)]);
}

#[test]
fn the_slicer_cuts_the_same_pieces_wherever_the_stream_is_cut() {
    let slicer = Kind::Slicer { average_size: 10, size_variation: 5, delay: ms(1) };
    let mut whole = Line::of(&[slicer]);
    whole.comes(1000, None);
    whole.until(1000);
    let ends = |line: &Line| {
        let mut end = 0;
        line.sizes().iter().map(|size| (end += size, end).1).collect::<Vec<_>>()
    };
    let sizes = whole.sizes();
    assert!(sizes[..sizes.len() - 1].iter().all(|size| (5..=15).contains(size)), "{sizes:?}");
    assert!(sizes.contains(&5) && sizes.contains(&15));
    let times: Vec<u64> = whole.left.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, (0..times.len() as u64).collect::<Vec<_>>());
    let mut cut = Line::of(&[slicer]);
    for _ in 0..500 {
        cut.comes(2, None);
    }
    cut.until(1000);
    let cut = ends(&cut);
    assert!(ends(&whole).iter().all(|end| cut.contains(end)));
}

#[test]
fn the_slicer_cuts_its_command_and_no_other() {
    let slicer = Kind::Slicer { average_size: 4, size_variation: 0, delay: Duration::ZERO };
    let mut line = Line::of(&[LATENCY]);
    line.comes(10, None);
    line.comes(10, Some(slicer));
    line.comes(10, None);
    line.until(1000);
    assert_eq!(line.sizes(), [10, 4, 4, 2, 10]);
    assert_eq!(line.stage.gates().count(), 1);
}

#[test]
fn of_many_commands_with_faults_one_is_at_work() {
    let slicer = Kind::Slicer { average_size: 4, size_variation: 0, delay: Duration::ZERO };
    let mut line = Line::of(&[LATENCY]);
    for _ in 0..1000 {
        line.comes(5, Some(slicer));
    }
    line.until(1000);
    assert_eq!(line.sizes(), [4, 1].repeat(1000));
    assert!(line.stage.of_commands.is_empty() && line.stage.coming.is_empty());
}

#[test]
fn a_limit_closes_behind_its_last_byte() {
    let mut line = Line::of(&[Kind::LimitData { bytes: 15 }]);
    line.comes(10, None);
    assert_eq!(line.strike(false), None);
    line.comes(10, None);
    assert_eq!((line.sizes(), line.waiting), (vec![10, 5], 5));
    assert_eq!(line.strike(false), Some(Strike::Close));
    assert_eq!(line.strike(false), None);
    let mut nothing = Line::of(&[Kind::LimitData { bytes: 0 }]);
    assert_eq!(nothing.strike(false), None, "not before there is something to lose");
    nothing.comes(1, None);
    assert_eq!((nothing.sizes(), nothing.strike(false)), (vec![], Some(Strike::Close)));
}

#[test]
fn a_limit_of_a_command_counts_its_own_bytes() {
    let mut line = Line::of(&[]);
    line.comes(100, None);
    line.comes(20, Some(Kind::LimitData { bytes: 20 }));
    line.comes(100, None);
    assert_eq!((line.sizes(), line.strike(false)), (vec![100, 20, 100], None), "it was not longer");
    line.comes(21, Some(Kind::LimitData { bytes: 20 }));
    assert_eq!((line.left.last().copied(), line.strike(false)), (Some((0, 20)), Some(Strike::Close)));
    assert!(line.stage.has_struck());
}

#[test]
fn a_timeout_holds_everything_then_closes() {
    let mut line = Line::of(&[Kind::Timeout { timeout: ms(500) }]);
    line.comes(10, None);
    line.until(499);
    assert_eq!((line.left.len(), line.strike(false)), (0, None));
    line.until(500);
    assert_eq!(line.strike(false), Some(Strike::Close));
    assert_eq!(line.stage.due(), None);
}

#[test]
fn a_timeout_of_nothing_holds_until_the_sender_leaves() {
    let mut line = Line::of(&[]);
    line.comes(10, None);
    line.comes(10, Some(Kind::Timeout { timeout: Duration::ZERO }));
    line.until(1_000_000);
    assert_eq!((line.sizes(), line.strike(false), line.stage.due()), (vec![10], None, None));
    assert_eq!(line.strike(true), Some(Strike::Cut));
}

#[test]
fn a_reset_waits_for_its_first_byte() {
    let mut line = Line::of(&[Kind::ResetPeer { timeout: ms(50) }]);
    line.until(1000);
    assert_eq!(line.strike(false), None);
    line.comes(1, None);
    assert!(!line.stage.may_close(line.now));
    line.until(1049);
    assert_eq!(line.strike(false), None);
    line.until(1050);
    assert_eq!((line.strike(false), line.left.len()), (Some(Strike::Reset), 0));
    // a command need not arrive to set it off
    let mut line = Line::of(&[]);
    line.comes(0, Some(Kind::ResetPeer { timeout: Duration::ZERO }));
    assert_eq!(line.strike(false), Some(Strike::Reset));
}

#[test]
fn a_slow_close_delays_the_end_and_nothing_else() {
    let mut line = Line::of(&[Kind::SlowClose { delay: ms(100) }, Kind::LimitData { bytes: 10 }]);
    line.comes(20, None);
    assert_eq!((line.sizes(), line.strike(false)), (vec![10], Some(Strike::Close)));
    line.waiting = 0;
    assert!(!line.stage.may_close(line.now));
    line.until(99);
    assert!(!line.stage.may_close(line.now));
    line.until(100);
    assert!(line.stage.may_close(line.now));
}

#[test]
fn in_a_hurry_nothing_is_waited_for() {
    let late = Kind::Latency { latency: Duration::MAX, jitter: Duration::ZERO };
    let slicer = Kind::Slicer { average_size: 4, size_variation: 0, delay: Duration::MAX };
    let slow = [late, slicer, Kind::Bandwidth { rate: 1 }, Kind::SlowClose { delay: Duration::MAX }];
    let mut line = Line::of(&slow);
    line.comes(10, None);
    line.until(0);
    assert_eq!(line.left, []);
    line.stage.hurry();
    line.write();
    assert_eq!((line.sizes(), line.stage.due()), (vec![4, 4, 2], None));
    assert!(line.stage.may_close(line.now));
    let mut line = Line::of(&[Kind::Timeout { timeout: Duration::MAX }]);
    line.comes(10, None);
    line.stage.hurry();
    assert_eq!(line.strike(false), Some(Strike::Close));
}

#[test]
fn a_fault_that_is_at_work_does_not_begin_again() {
    let mut line = Line::of(&[]);
    for _ in 0..3 {
        line.comes(10, Some(Kind::Bandwidth { rate: 1 }));
    }
    assert_eq!(line.stage.gates().count(), 1);
    let news: Vec<_> = line.stage.news().into_iter().map(|news| (news.kind.name(), news.strike)).collect();
    assert_eq!(news, [("bandwidth", None)]);
}

#[test]
fn toxicity_chooses_the_same_connections_again() {
    let fault = |text: &str| toml::from_str::<StreamFault>(text).unwrap();
    let faults = [
        fault("type = 'slicer'\naverage_size = 9\nsize_variation = 8\ntoxicity = 0.5\nseed = 42"),
        fault("type = 'timeout'\ntoxicity = 0.5\nseed = 42"),
    ];
    let affected = || {
        let addresses = Connection::example();
        let connections = (1..=100).map(|number| Connection::new(number, addresses.client, addresses.reached));
        connections
            .map(|connection| match Stage::of(&faults, &connection, Direction::ServerToClient) {
                None => String::new(),
                Some(mut stage) => {
                    let pieces = stage.permit(1000, Instant::now());
                    stage.gates().fold(pieces.to_string(), |all, gate| all + " " + &gate.fault.name)
                }
            })
            .collect::<Vec<_>>()
    };
    let first = affected();
    assert_eq!(first, affected());
    for names in ["", " slicer_downstream", " timeout_downstream", " slicer_downstream timeout_downstream"] {
        let count = first.iter().filter(|found| found.trim_start_matches(char::is_numeric) == names).count();
        assert!((10..40).contains(&count), "{count} connections have {names:?}");
    }
    assert!(Stage::of(&faults, &Connection::example(), Direction::ClientToServer).is_none());
}
