//! Searches in years of sessions, and what it costs to index them.
//!
//! `MSNP_INDEX_COMMANDS` is how many commands there are, a million without it. What indexing took is printed first.
#![expect(clippy::print_stderr, reason = "what is measured once is told on the side")]

use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use msnp_index::{Hit, Index, IndexError, Query, Search, Wait};
use msnp_transcript::Expression;

#[path = "support/corpus.rs"]
mod corpus;

fn searches(criterion: &mut Criterion) {
    let commands = std::env::var("MSNP_INDEX_COMMANDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().expect("a folder for the corpus");
    let bytes = corpus::write(folder.path(), commands).expect("room for the corpus");
    let path = Index::usual_path(folder.path());
    let mut index = Index::open(folder.path(), &path, Wait::No).expect("room for an index");
    let start = Instant::now();
    index.update(&mut |_| {}).expect("room for an index");
    let took = start.elapsed();
    let size = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    eprintln!(
        "indexed {commands} commands, {:.0} MB, in {:.1} s: {:.0} a second; the index has {:.0} MB, {:.2} of the transcripts",
        bytes as f64 / 1e6,
        took.as_secs_f64(),
        commands as f64 / took.as_secs_f64(),
        size as f64 / 1e6,
        size as f64 / bytes as f64
    );
    let start = Instant::now();
    index.update(&mut |_| {}).expect("the index");
    eprintln!("an update without anything new took {:.1} ms", start.elapsed().as_secs_f64() * 1e3);

    let mut group = criterion.benchmark_group("search");
    group.sample_size(10);
    let size_of_one = Expression::compile("size > 700").expect("an expression");
    let [common, other, rare] = [0, 1, 15_000].map(corpus::word_of);
    for (name, words) in [
        ("rare word", rare.as_str()),
        ("common word", &common),
        ("two common words", &format!("{common} {other}")),
        ("phrase", "\"friendly name\""),
        ("prefix", "gra*"),
        ("word without another", &format!("{common} -{other}")),
        ("address", "contact42@example.com"),
        ("in half of all commands", "msg"),
    ] {
        let query = Query::parse(words).expect("a query");
        let search = Search { query: Some(&query), limit: Some(50), ..Search::default() };
        let count = index.count(&search).expect("the index").hits;
        eprintln!("{name} ({words}): {count} hits");
        assert!(count > 0, "a search for nothing shows nothing");
        group.bench_function(name, |bencher| bencher.iter(|| run(&index, &search)));
        group.bench_function(format!("{name}, counted"), |bencher| bencher.iter(|| index.count(&search)));
    }
    let all = || Search { limit: Some(50), ..Search::default() };
    let old = Search { until: Some(1_600_000_000_000_000), ..all() };
    group.bench_function("no words, an old day", |bencher| bencher.iter(|| run(&index, &old)));
    let joined = Search { verbs: vec!["JOI".into()], ..all() };
    group.bench_function("a verb", |bencher| bencher.iter(|| run(&index, &joined)));
    let query = Query::parse(&common).expect("a query");
    let filtered = Search { query: Some(&query), expression: Some(&size_of_one), ..all() };
    group.bench_function("an expression on a common word", |bencher| bencher.iter(|| run(&index, &filtered)));
    let around = Search { query: Some(&query), context: 3, ..all() };
    group.bench_function("a common word with context", |bencher| bencher.iter(|| run(&index, &around)));
    group.finish();
}

fn run(index: &Index, search: &Search<'_>) -> usize {
    let mut hits = 0;
    let found = index.search(search, &mut |_: Hit| {
        hits += 1;
        Ok::<(), IndexError>(())
    });
    found.expect("the index");
    hits
}

criterion_group!(benches, searches);
criterion_main!(benches);
