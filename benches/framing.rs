//! How long it takes to find the commands in what was read.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use msnp::{Codec, Limits};
use std::hint::black_box;

mod samples;

/// The payload of a TCP segment.
const SEGMENT: usize = 1460;

fn framing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("framing");
    for sample in samples::samples() {
        let (elements, bytes) = (sample.spans.len() as u64, sample.stream.len() as u64);
        group.throughput(Throughput::ElementsAndBytes { elements, bytes });
        for (name, piece) in [("whole", sample.stream.len()), ("segments", SEGMENT)] {
            group.bench_with_input(BenchmarkId::new(sample.name, name), &sample.stream[..], |bencher, stream| {
                bencher.iter(|| frame(&mut Codec::new(sample.direction, Limits::default()), black_box(stream), piece));
            });
        }
    }
    group.finish();
}

/// Frames a stream that arrives in pieces, and returns the number of commands.
fn frame(codec: &mut Codec, stream: &[u8], piece: usize) -> usize {
    let (mut at, mut count) = (0, 0);
    for received in (piece..stream.len()).step_by(piece).chain([stream.len()]) {
        while let Some(span) = codec.next_span(&stream[at..received]) {
            at += span.len();
            black_box(span);
            count += 1;
        }
    }
    count
}

criterion_group!(benches, framing);
criterion_main!(benches);
