//! The memory that KV and adapters share.
//!
//! Each of the two has a *floor*, which the other can never take, and may take what the other leaves beyond that. With
//! floors that add up to all of it the two have budgets of their own. A request whose KV fits KV's floor and whose
//! adapter fits the adapters' can therefore always begin once enough of what runs has ended, whatever the other side
//! does: neither starves.
//!
//! What nobody uses gives way: adapters without lease, want or pin, and KV pages that are kept for later prompts, both
//! down to their floor. The scheduler evicts adapters itself when it needs room; a thread that loads cannot evict pages,
//! so it asks, and the scheduler does it before its next step. Where both could give way, the side with more that
//! nobody uses does.

use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct Taken {
	kv: usize,
	/// Those of them that are kept for later prompts and not in use.
	kv_kept: usize,
	adapters: usize,
	/// What a load wants KV to give way to.
	asked: usize,
}

/// Who has how much of the shared memory.
#[derive(Debug)]
pub(crate) struct Memory {
	total: usize,
	kv_floor: usize,
	adapter_floor: usize,
	taken: Mutex<Taken>,
}

impl Memory {
	/// Two budgets, neither of which the other can take.
	pub fn apart(kv: usize, adapters: usize) -> Self {
		// So that their sum is a number, too.
		let (kv, adapters) = (kv.min(usize::MAX / 2), adapters.min(usize::MAX / 2));
		Self {
			total: kv + adapters,
			kv_floor: kv,
			adapter_floor: adapters,
			taken: Mutex::default(),
		}
	}

	/// One budget for both. A quarter is each one's floor; KV's is as large as a whole context of `context` bytes, if that
	/// is not more than half.
	pub fn shared(total: usize, context: usize) -> Self {
		Self {
			total,
			kv_floor: (total / 4).max(context.min(total / 2)),
			adapter_floor: total / 4,
			taken: Mutex::default(),
		}
	}

	fn lock(&self) -> MutexGuard<'_, Taken> {
		self.taken.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Bytes of both.
	pub fn total(&self) -> usize {
		self.total
	}

	/// Bytes that KV can always have.
	pub fn kv_floor(&self) -> usize {
		self.kv_floor
	}

	/// Bytes that adapters can always have.
	pub fn adapter_floor(&self) -> usize {
		self.adapter_floor
	}

	/// Most bytes that KV can have.
	pub fn kv_most(&self) -> usize {
		self.total - self.adapter_floor
	}

	/// Most bytes that adapters can have.
	pub fn adapter_most(&self) -> usize {
		self.total - self.kv_floor
	}

	/// Notes what KV takes: never more than before, or than [`Self::grow_kv`] has granted.
	pub fn set_kv(&self, bytes: usize, kept: usize) {
		let mut taken = self.lock();
		(taken.kv, taken.kv_kept) = (bytes, kept);
	}

	/// Grants KV `bytes` in all, if they are free; otherwise how many are missing.
	pub fn grow_kv(&self, bytes: usize) -> Result<(), usize> {
		let mut taken = self.lock();
		let most = (self.total - taken.adapters).min(self.kv_most());
		if bytes > most {
			return Err(bytes - most);
		}
		taken.kv = bytes;
		Ok(())
	}

	/// Notes that adapters take `bytes`: never more than before, or than [`Self::grow_adapters`] has granted.
	pub fn set_adapters(&self, bytes: usize) {
		self.lock().adapters = bytes;
	}

	/// Grants adapters `bytes` in all, if they are free; otherwise how many are missing.
	pub fn grow_adapters(&self, bytes: usize) -> Result<(), usize> {
		let mut taken = self.lock();
		let most = (self.total - taken.kv).min(self.adapter_most());
		if bytes > most {
			return Err(bytes - most);
		}
		taken.adapters = bytes;
		Ok(())
	}

	/// Bytes that KV could give way with now: what is kept beyond its floor.
	pub fn kv_idle(&self) -> usize {
		let taken = self.lock();
		taken.kv_kept.min(taken.kv.saturating_sub(self.kv_floor))
	}

	/// Asks KV to give way by so many bytes before the next step.
	pub fn ask(&self, bytes: usize) {
		let mut taken = self.lock();
		taken.asked = taken.asked.max(bytes);
	}

	/// Whether something is asked for that KV has not given yet.
	pub fn is_asked(&self) -> bool {
		self.lock().asked > 0
	}

	/// What was asked for since the last call.
	pub fn asked(&self) -> usize {
		std::mem::take(&mut self.lock().asked)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn budgets_apart_should_not_know_of_each_other() {
		let memory = Memory::apart(100, 50);
		assert_eq!(memory.grow_adapters(50), Ok(()));
		assert_eq!(memory.grow_adapters(51), Err(1));
		assert_eq!(memory.grow_kv(100), Ok(()));
		assert_eq!(memory.grow_kv(103), Err(3));
		assert_eq!((memory.kv_most(), memory.adapter_most()), (100, 50));
		memory.set_kv(100, 100);
		assert_eq!(memory.kv_idle(), 0, "none of it is beyond the floor");
	}

	#[test]
	fn what_one_leaves_the_other_should_have_down_to_the_floors() {
		let memory = Memory::shared(1_000, 100);
		assert_eq!((memory.kv_floor(), memory.adapter_floor()), (250, 250));
		assert_eq!(memory.grow_kv(751), Err(1));
		assert_eq!(memory.grow_kv(750), Ok(()));
		assert_eq!(memory.grow_adapters(250), Ok(()));
		assert_eq!(memory.grow_adapters(300), Err(50));
		memory.set_kv(700, 600);
		assert_eq!(memory.kv_idle(), 450);
		assert_eq!(memory.grow_adapters(300), Ok(()));
		memory.set_kv(0, 0);
		assert_eq!(memory.grow_adapters(751), Err(1));
		memory.ask(10);
		memory.ask(5);
		assert_eq!((memory.asked(), memory.asked()), (10, 0));
		// A whole context fits the floor where it can.
		assert_eq!(Memory::shared(1_000, 400).kv_floor(), 400);
		assert_eq!(Memory::shared(1_000, 900).kv_floor(), 500);
	}
}
