//! How long it takes to write commands down as JSON Lines.

use std::hint::black_box;
use std::time::SystemTime;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use msnp::argument::Scope;
use msnp::{ServerKind, Version};
use msnp_transcript::id::Stamp;
use msnp_transcript::json::Batch;

mod samples;

fn recording(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recording");
    let stamp = Stamp::of(SystemTime::UNIX_EPOCH);
    let scope = Scope { server: Some(ServerKind::Switchboard), version: Some(Version(12)) };
    for sample in samples::samples() {
        let (elements, bytes) = (sample.spans.len() as u64, sample.stream.len() as u64);
        group.throughput(Throughput::ElementsAndBytes { elements, bytes });
        for (name, keep_secrets) in [("masked", false), ("kept", true)] {
            let batch = Batch::new(&stamp, "01jd0000000000000000000000", 2, sample.direction, scope, keep_secrets);
            let mut out = Vec::new();
            group.bench_function(BenchmarkId::new(sample.name, name), |bencher| {
                bencher.iter(|| {
                    out.clear();
                    let mut rest = black_box(&sample.stream[..]);
                    for (seq, &span) in (100_000..).zip(&sample.spans) {
                        batch.command(&mut out, seq, rest, span);
                        rest = &rest[span.len as usize..];
                    }
                    black_box(&out).len()
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, recording);
criterion_main!(benches);
