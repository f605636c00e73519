use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::reader::Reader;

fn note(appender: &mut Appender<'_>, text: &str) -> u64 {
    appender.event(&Stamp::of(SystemTime::UNIX_EPOCH), |stem| {
        Event::Note(NoteEvent { stem, connection: None, text: text.into() })
    })
}

fn events(folder: &Path) -> Vec<Event> {
    let file = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    Reader::open(&file).unwrap().map(|event| event.unwrap()).collect()
}

/// Returns the recorder of a folder in whose place there is a file, and a session that has begun there.
fn with_three_events_lost(folder: &Path) -> (Recorder, Arc<SessionLog>) {
    fs::write(folder, "in the way").unwrap();
    let recorder = Recorder::start(folder);
    let log = recorder.session("01jd", SystemTime::UNIX_EPOCH);
    for (count, text) in (1..).zip(["head", "lost", "lost too"]) {
        note(&mut log.append(), text);
        while recorder.lost() < count {
            std::thread::yield_now();
        }
    }
    (recorder, log)
}

#[test]
fn lines_reach_the_file_in_order_and_the_file_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(&folder.path().join("sessions"));
    let log = recorder.session("01jd", SystemTime::UNIX_EPOCH);
    for number in 0..1000 {
        assert_eq!(note(&mut log.append(), &format!("note {number}")), number);
    }
    log.set_account("alice@example.com");
    assert!(recorder.finish(Duration::from_secs(10)));
    let path = log.path().unwrap();
    assert_eq!(path.file_name().unwrap(), "19700101T000000Z_alice@example.com_01jd.jsonl");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let seqs: Vec<u64> = events(recorder.folder()).iter().map(|event| event.stem().seq).collect();
    assert_eq!(seqs, (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_loss_is_counted_and_noted_when_writing_works_again() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("sessions");
    let (recorder, log) = with_three_events_lost(&folder);
    fs::remove_file(&folder).unwrap();
    note(&mut log.append(), "kept");
    assert!(!recorder.finish(Duration::from_secs(10)));
    assert_eq!(recorder.lost(), 2);
    let events = events(&folder);
    let [Event::Note(head), Event::Note(loss), Event::Note(kept)] = &events[..] else { panic!("{events:?}") };
    // without its first line a transcript would be none
    assert_eq!((head.stem.seq, head.text.as_str()), (0, "head"));
    assert!(loss.text.starts_with("2 events were lost here: "), "{}", loss.text);
    assert_eq!((loss.stem.seq, kept.stem.seq, kept.text.as_str()), (2, 3, "kept"));
}

#[test]
fn what_was_lost_of_a_session_that_is_over_is_noted_too() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("sessions");
    let (recorder, log) = with_three_events_lost(&folder);
    drop(log);
    fs::remove_file(&folder).unwrap();
    // nobody says anything more; the writer tries again by itself, at the latest at the end
    assert!(!recorder.finish(Duration::from_secs(10)));
    let events = events(&folder);
    let [Event::Note(head), Event::Note(loss)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((head.stem.seq, head.text.as_str()), (0, "head"));
    assert!(loss.text.starts_with("2 events were lost here: "), "{}", loss.text);
}

#[test]
fn a_loss_is_noted_once() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(folder.path());
    let log = recorder.session("01jd", SystemTime::UNIX_EPOCH);
    note(&mut log.append(), "head");
    assert!(recorder.finish(Duration::from_secs(10)));
    // a pipe that nobody reads stands for a disk that takes the note and then no more
    let mut writer =
        Writer { folder: folder.path().to_owned(), files: HashMap::new(), failed: None, behind: Vec::new() };
    lock(&log.pending).lose(b"lost\nlost\n", 3, "on purpose");
    let (reader, pipe) = std::io::pipe().unwrap();
    writer.files.insert(log.number, File::from(std::os::fd::OwnedFd::from(pipe)));
    let mut loss = std::mem::take(&mut lock(&log.pending).lost);
    drop(reader);
    assert!(writer.try_write(&log, None, b"more\n", &mut loss, &mut Vec::new()).is_err());
    assert_eq!(loss.events, 2, "the note did not go out");
    writer.files.clear();
    assert!(writer.try_write(&log, None, b"", &mut loss, &mut Vec::new()).is_ok());
    assert_eq!(loss.events, 0, "the note is on disk");
}

#[test]
fn a_torn_write_is_taken_back_to_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full");
    let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
    assert!(write_whole(&mut file, b"one\ntwo\n").is_ok());
    let mut full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let failure = write_whole(&mut full, b"three\n").err();
    assert!(failure.is_some_and(|failure| failure.written == 0));
}

#[test]
fn many_sessions_need_few_descriptors() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(folder.path());
    let logs: Vec<_> = (0..200).map(|id| recorder.session(&format!("{id:03}"), SystemTime::UNIX_EPOCH)).collect();
    for round in 0..3 {
        for log in &logs {
            note(&mut log.append(), &format!("round {round}"));
        }
    }
    assert!(recorder.finish(Duration::from_secs(10)));
    for log in &logs {
        assert_eq!(Reader::open(&log.path().unwrap()).unwrap().count(), 3);
    }
}
