//! Which KV pages are kept for later requests, and which of them goes when room is needed.
//!
//! A page is known by a chain of SHA-256: the root is made of all that decides keys and values besides the tokens
//! (the adapter's *content*, never its name) and of the tenant; each link adds the tokens of one whole page. So a
//! page is found only by the same tenant, with the same adapter bytes, after exactly the same tokens. A
//! cryptographic hash, because callers choose the tokens and a collision would show them another prompt's KV.
//!
//! A page in use by a running sequence is never dropped; of the others the least recently used goes first, ends of
//! chains before what they hang from. Only whole pages are kept, and a whole page is never written again, so
//! sharing needs no copies.

use std::collections::{BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use crate::{backend::PageId, store::AdapterKey, tenant::Tenant};

/// What a page of KV is: everything that decided its values, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PageKey([u8; 32]);

impl PageKey {
	/// Where the chains of a tenant and an adapter begin. Whatever else comes to decide keys and values has to go in
	/// here.
	pub fn root(adapter: Option<&AdapterKey>, tenant: &Tenant) -> Self {
		let mut hasher = Sha256::new();
		hasher.update(b"openledger/kv/1\0");
		hasher.update(tenant.as_bytes());
		match adapter {
			None => hasher.update([0]),
			Some(key) => {
				hasher.update([1]);
				hasher.update(key.weights);
				hasher.update(key.config);
			}
		}
		Self(hasher.finalize().into())
	}

	/// The page of these tokens after this one.
	pub fn child(&self, tokens: &[u32]) -> Self {
		let mut hasher = Sha256::new();
		hasher.update(self.0);
		for token in tokens {
			hasher.update(token.to_le_bytes());
		}
		Self(hasher.finalize().into())
	}
}

struct Entry {
	page: PageId,
	parent: PageKey,
	children: usize,
	/// Running sequences that have it among their pages.
	users: usize,
	touched: u64,
}

/// The pages that are kept.
#[derive(Default)]
pub(crate) struct PrefixIndex {
	entries: HashMap<PageKey, Entry>,
	/// What may be dropped now: no users, no children. Oldest first.
	idle: BTreeSet<(u64, PageKey)>,
	used: usize,
	clock: u64,
}

impl PrefixIndex {
	/// Pages kept, in use or not.
	pub fn len(&self) -> usize {
		self.entries.len()
	}

	/// Pages that running sequences use.
	pub fn used(&self) -> usize {
		self.used
	}

	/// Pages that [`Self::evict`] could drop one after the other.
	pub fn evictable(&self) -> usize {
		self.entries.len() - self.used
	}

	/// Begins to use a page, if it is kept.
	pub fn acquire(&mut self, key: &PageKey) -> Option<PageId> {
		let entry = self.entries.get_mut(key)?;
		if entry.users == 0 {
			self.used += 1;
			self.idle.remove(&(entry.touched, *key));
		}
		entry.users += 1;
		Some(entry.page)
	}

	/// Begins to use all kept pages that `tokens` begin with, at most `most`; their keys and pages, first page first.
	pub fn acquire_chain(
		&mut self,
		root: PageKey,
		tokens: &[u32],
		page_tokens: usize,
		most: usize,
	) -> Vec<(PageKey, PageId)> {
		let mut found = Vec::new();
		let mut key = root;
		for tokens in tokens.chunks_exact(page_tokens).take(most) {
			key = key.child(tokens);
			let Some(page) = self.acquire(&key) else {
				break;
			};
			found.push((key, page));
		}
		found
	}

	/// Keeps a page that is not kept yet, in use by whoever brings it. `parent` is its predecessor, which the same
	/// sequence uses, or the root.
	pub fn insert(&mut self, key: PageKey, parent: PageKey, page: PageId) {
		debug_assert!(!self.entries.contains_key(&key), "a page is kept once");
		if let Some(parent) = self.entries.get_mut(&parent) {
			parent.children += 1;
		}
		self.used += 1;
		let entry = Entry {
			page,
			parent,
			children: 0,
			users: 1,
			touched: self.clock,
		};
		self.entries.insert(key, entry);
	}

	/// Ends the use of pages by one sequence.
	pub fn release(&mut self, keys: &[PageKey]) {
		self.clock += 1;
		for key in keys {
			let Some(entry) = self.entries.get_mut(key) else {
				debug_assert!(false, "a page in use is kept");
				continue;
			};
			entry.users -= 1;
			if entry.users > 0 {
				continue;
			}
			self.used -= 1;
			entry.touched = self.clock;
			if entry.children == 0 {
				self.idle.insert((entry.touched, *key));
			}
		}
	}

	/// All pages, which are forgotten. Nobody uses any.
	pub fn clear(&mut self) -> Vec<PageId> {
		debug_assert_eq!(self.used, 0, "a page in use is kept");
		self.idle.clear();
		self.entries.drain().map(|(_, entry)| entry.page).collect()
	}

	/// Drops the page that was not used for the longest time; `None` if all are in use.
	pub fn evict(&mut self) -> Option<PageId> {
		let (_, key) = self.idle.pop_first()?;
		let entry = self.entries.remove(&key)?;
		if let Some(parent) = self.entries.get_mut(&entry.parent) {
			parent.children -= 1;
			if parent.children == 0 && parent.users == 0 {
				self.idle.insert((parent.touched, entry.parent));
			}
		}
		Some(entry.page)
	}
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
	use std::collections::BTreeMap;

	use rand::{Rng, SeedableRng};
	use rand_chacha::ChaCha8Rng;

	use super::*;

	fn key(byte: u8) -> AdapterKey {
		AdapterKey {
			weights: [byte; 32],
			config: [7; 32],
		}
	}

	#[test]
	fn keys_should_differ_by_tenant_adapter_content_and_every_token() {
		let (a, b) = (Tenant::of("a"), Tenant::of("b"));
		let other_config = AdapterKey {
			config: [8; 32],
			..key(1)
		};
		let mut keys = vec![
			PageKey::root(None, &a),
			PageKey::root(None, &b),
			PageKey::root(None, &Tenant::ANONYMOUS),
			PageKey::root(Some(&key(1)), &a),
			PageKey::root(Some(&key(2)), &a),
			PageKey::root(Some(&other_config), &a),
			PageKey::root(Some(&key(1)), &b),
		];
		for i in 0..keys.len() {
			for tokens in [[1, 2], [2, 1], [1, 3], [0x0102, 0]] {
				keys.push(keys[i].child(&tokens));
			}
		}
		let twice = keys[0].child(&[1, 2]).child(&[1, 2]);
		keys.push(twice);
		let count = keys.len();
		keys.sort_unstable();
		keys.dedup();
		assert_eq!(keys.len(), count);
	}

	/// What a sequence of the model below holds.
	struct Holder {
		root: PageKey,
		tokens: Vec<u32>,
		keys: Vec<PageKey>,
	}

	#[test]
	fn random_operations_should_never_drop_or_confuse_a_page_in_use() {
		const PAGE: usize = 2;
		for seed in 0..40 {
			let mut rng = ChaCha8Rng::seed_from_u64(seed);
			let mut index = PrefixIndex::default();
			let mut next = 0u64;
			// Physical page → (root, all tokens up to its end): what its contents stand for.
			let mut contents: BTreeMap<PageId, (PageKey, Vec<u32>)> = BTreeMap::new();
			let mut holders: Vec<Holder> = Vec::new();
			let roots = [
				PageKey::root(None, &Tenant::of("a")),
				PageKey::root(None, &Tenant::of("b")),
				PageKey::root(Some(&key(1)), &Tenant::of("a")),
			];
			for _ in 0..2_000 {
				match rng.random_range(0..10) {
					0..=4 => {
						let root = roots[rng.random_range(0..roots.len())];
						let pages = rng.random_range(1..6);
						let tokens: Vec<u32> =
							(0..pages * PAGE).map(|_| rng.random_range(0..2)).collect();
						let found = index.acquire_chain(root, &tokens, PAGE, pages);
						for (i, (_, page)) in found.iter().enumerate() {
							let (from, of) = &contents[page];
							assert_eq!((*from, &of[..]), (root, &tokens[..(i + 1) * PAGE]));
						}
						let mut keys: Vec<PageKey> = found.iter().map(|(key, _)| *key).collect();
						// The rest it computes, perhaps not all of it.
						for i in keys.len()..rng.random_range(keys.len()..=pages) {
							let parent = *keys.last().unwrap_or(&root);
							let key = parent.child(&tokens[i * PAGE..(i + 1) * PAGE]);
							assert!(index.acquire(&key).is_none());
							let page = PageId(next);
							next += 1;
							contents.insert(page, (root, tokens[..(i + 1) * PAGE].to_vec()));
							index.insert(key, parent, page);
							keys.push(key);
						}
						holders.push(Holder { root, tokens, keys });
					}
					5..=7 if !holders.is_empty() => {
						let holder = holders.swap_remove(rng.random_range(0..holders.len()));
						index.release(&holder.keys);
					}
					_ => {
						let idle = index.evictable();
						match index.evict() {
							None => assert_eq!(idle, 0, "what is not in use can go"),
							Some(page) => {
								assert_eq!(index.evictable(), idle - 1);
								let (root, tokens) = contents.remove(&page).unwrap();
								for holder in &holders {
									let holds = holder.root == root
										&& holder.keys.len() * PAGE >= tokens.len()
										&& holder.tokens.starts_with(&tokens);
									assert!(!holds, "a page in use was dropped");
								}
							}
						}
					}
				}
				assert_eq!(index.len(), contents.len());
				let mut used: Vec<PageKey> = holders.iter().flat_map(|h| h.keys.clone()).collect();
				used.sort_unstable();
				used.dedup();
				assert_eq!(index.used(), used.len());
			}
			for holder in &holders {
				index.release(&holder.keys);
			}
			while index.evict().is_some() {}
			assert_eq!((index.len(), index.used(), index.idle.len()), (0, 0, 0));
		}
	}

	#[test]
	fn the_least_recently_used_chain_should_go_first_and_from_its_end() {
		let mut index = PrefixIndex::default();
		let root = PageKey::root(None, &Tenant::ANONYMOUS);
		let mut chains = Vec::new();
		for chain in 0..3u32 {
			let first = root.child(&[chain]);
			let second = first.child(&[9]);
			index.insert(first, root, PageId(u64::from(chain) * 2));
			index.insert(second, first, PageId(u64::from(chain) * 2 + 1));
			chains.push([first, second]);
		}
		for chain in [1, 0, 2] {
			index.release(&chains[chain]);
		}
		// Using the oldest again makes it the youngest.
		assert!(index.acquire(&chains[1][0]).is_some());
		index.release(&chains[1][..1]);
		let order: Vec<u64> = std::iter::from_fn(|| index.evict()).map(|p| p.0).collect();
		assert_eq!(order, [3, 1, 0, 5, 4, 2]);
	}
}
