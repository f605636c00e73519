//! How long it takes to change a command.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::net::SocketAddr;
use std::time::SystemTime;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use mitmsn_proxy::rules::Rules;
use mitmsn_proxy::{Connection, Context, Hook};
use msnp::argument::Scope;
use msnp::command::CommandError;
use msnp::{Command, Direction, LengthPolicy, ServerKind, Version};

const MSG: &[u8] =
    b"MSG 1 N 80\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\nHello, how are you";
const CVR: &[u8] = b"CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.0.0813 MSMSGS alice@example.com\r\n";

fn editing(criterion: &mut Criterion) {
    let message = Command::parse(Direction::ClientToServer, MSG).unwrap();
    let version = Command::parse(Direction::ClientToServer, CVR).unwrap();
    let mut group = criterion.benchmark_group("editing");
    let mut edit = |name: &str, command: &Command, edit: fn(&mut Command) -> Result<(), CommandError>| {
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(|| command.clone(), edit, BatchSize::SmallInput);
        });
    };
    edit("set_argument", &version, |command| command.set_argument(6, b"7.5.0324"));
    edit("set_text", &message, |command| command.set_text(b"Fine, and you?", LengthPolicy::Repair));
    edit("set_header", &message, |command| command.set_header("Content-Type", b"text/html", LengthPolicy::Repair));
    edit("set_new_header", &message, |command| command.set_header("X-Check", b"1", LengthPolicy::Repair));
    group.finish();
}

fn rules(criterion: &mut Criterion) {
    let message = Command::parse(Direction::ClientToServer, MSG).unwrap();
    let version = Command::parse(Direction::ClientToServer, CVR).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], 1863));
    let connection = Connection::new(1, address, address);
    let scope = Scope { server: Some(ServerKind::Notification), version: Some(Version(12)) };
    let mut group = criterion.benchmark_group("rules");
    for (name, command, rule) in [
        ("set_argument", &version, "verbs = ['CVR']\nset.client_version = '7.5.0324'"),
        ("replace", &message, "verbs = ['MSG']\nreplace = { in = 'text', regex = 'how', with = 'who' }"),
        ("when", &message, "when = 'text.contains(\"nobody says this\")'\ndrop = true"),
        ("other_verb", &message, "verbs = ['CVR']\ndrop = true"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.toml");
        std::fs::write(&file, format!("[[rule]]\n{rule}\n")).unwrap();
        let rules = Rules::load(&[file]).unwrap();
        group.bench_function(name, |bencher| {
            let setup = || command.clone();
            let apply = |command: &mut Command| {
                let mut context = Context::new(&connection, scope, "alice@example.com", SystemTime::UNIX_EPOCH);
                rules.command(command, &mut context)
            };
            bencher.iter_batched_ref(setup, apply, BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, editing, rules);
criterion_main!(benches);
