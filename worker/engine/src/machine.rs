//! What this machine has: processor, instructions, memory and its speed.

use std::{fs, hint::black_box, thread, time::Instant};

use openledger_kernels::{gemm_serial, Level};

/// 64-bit words that each thread reads: far more than its share of any cache.
const WORDS: usize = 12 << 20;

/// The processor and its memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Processor {
	/// What it calls itself; empty where the system does not say.
	pub name: String,
	/// Threads it can run at once.
	pub threads: usize,
	/// Sets of instructions there are kernels for, narrowest first.
	pub levels: Vec<&'static str>,
	/// Bytes of memory; 0 where the system does not say.
	pub memory: u64,
	/// Bytes of memory that programs can have without others being pushed out; 0 where the system does not say.
	pub free_memory: u64,
}

impl Processor {
	/// Asks the operating system.
	pub fn of_this_machine() -> Self {
		let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
		let name = info
			.lines()
			.find_map(|line| line.strip_prefix("model name")?.split_once(':'))
			.map_or("", |(_, name)| name.trim());
		let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
		let kilobytes = |key: &str| {
			memory
				.lines()
				.find_map(|line| {
					line.strip_prefix(key)?
						.split_whitespace()
						.next()?
						.parse()
						.ok()
				})
				.unwrap_or(0u64)
		};
		Self {
			name: name.to_string(),
			threads: thread::available_parallelism().map_or(1, |n| n.get()),
			levels: Level::available()
				.iter()
				.map(|level| level.name())
				.collect(),
			memory: kilobytes("MemTotal:") << 10,
			free_memory: kilobytes("MemAvailable:") << 10,
		}
	}
}

/// Memory to measure the speed of memory with; 96 MiB for each thread.
#[derive(Debug)]
pub struct Bandwidth(Vec<Vec<u64>>);

impl Bandwidth {
	/// For so many threads that read at once.
	pub fn new(threads: usize) -> Self {
		Self((0..threads).map(|i| vec![i as u64 + 1; WORDS]).collect())
	}

	/// Bytes per second of one plain read of all of it.
	pub fn measure(&self) -> f64 {
		let begin = Instant::now();
		let sum: u64 = thread::scope(|scope| {
			let sums: Vec<_> = self
				.0
				.iter()
				.map(|b| scope.spawn(move || b.iter().fold(0u64, |s, v| s.wrapping_add(*v))))
				.collect();
			sums.into_iter()
				.map(|s| s.join().unwrap_or(0))
				.fold(0, u64::wrapping_add)
		});
		black_box(sum);
		let bytes = self.0.iter().map(|b| b.len() * 8).sum::<usize>();
		bytes as f64 / begin.elapsed().as_secs_f64()
	}

	/// The fastest of some measurements.
	pub fn best(&self, of: usize) -> f64 {
		(0..of).map(|_| self.measure()).fold(0.0, f64::max)
	}
}

/// The largest relative error of a small product at each level against the same in f64: a processor that computes
/// wrongly, or a level that does not fit it, shows here.
pub fn self_test() -> Vec<(&'static str, f64)> {
	let (m, n, k) = (5, 37, 259);
	let value = |i: usize| ((i * 7919 % 2003) as f32 / 1001.0) - 1.0;
	let x: Vec<f32> = (0..m * k).map(value).collect();
	let w: Vec<f32> = (0..n * k).map(|i| value(i + 11)).collect();
	let wide = |row: usize, column: usize| -> f64 {
		(0..k)
			.map(|i| f64::from(x[row * k + i]) * f64::from(w[column * k + i]))
			.sum()
	};
	Level::available()
		.into_iter()
		.map(|level| {
			let mut y = vec![0.0; m * n];
			gemm_serial(level, &mut y, &x, &w, m, n, k);
			let worst = (0..m * n)
				.map(|i| (f64::from(y[i]) - wide(i / n, i % n)).abs())
				.fold(0.0, |worst: f64, apart| match apart.is_nan() {
					true => f64::INFINITY,
					false => worst.max(apart),
				});
			// Sums of k products of values up to 1.
			(level.name(), worst / (k as f64).sqrt())
		})
		.collect()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn every_level_of_this_processor_should_pass_the_self_test() {
		let results = self_test();
		assert_eq!(results.len(), Level::available().len());
		for (level, error) in results {
			assert!(error < 1e-5, "{level}: {error:e}");
		}
	}

	#[test]
	fn the_processor_should_be_described_and_memory_be_read_at_a_possible_speed() {
		let processor = Processor::of_this_machine();
		assert!(processor.threads > 0 && processor.levels.first() == Some(&"portable"));
		assert!(processor.free_memory <= processor.memory);
		let speed = Bandwidth(vec![vec![1; 1 << 16]]).measure();
		assert!(speed > 1e7, "{speed}");
	}
}
