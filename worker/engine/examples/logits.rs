//! Greedy answers and the logits behind them, for comparing with other implementations:
//! `cargo run --example logits -p openledger-engine <model> <adapter folder|-> <tokens> <out folder> <prompt>…`
//!
//! With `PAST_END=1` in the environment an answer goes on after its end token. Writes `<out>/answers.json` and `<out>/<n>.f32`: for prompt `n`, one row of logits (little-endian f32, as many as
//! the vocabulary) for each generated token.

use std::{error::Error, io::Write, path::Path, sync::Arc};

use openledger_engine::{
	backend::{Backend, BatchItem},
	cpu::CpuBackend,
	*,
};

fn adapter(
	folder: &str,
	base: &ModelConfig,
	backend: &CpuBackend,
) -> Result<Option<Arc<LoraWeights>>, Box<dyn Error>> {
	if folder == "-" {
		return Ok(None);
	}
	let folder = Path::new(folder);
	let config = AdapterConfig::parse(&std::fs::read(folder.join(store::CONFIG_FILE))?)?;
	let weights = std::fs::read(folder.join(store::WEIGHTS_FILE))?;
	let rows = backend.base_rows();
	Ok(Some(Arc::new(LoraWeights::load(
		&config,
		&weights,
		base,
		rows.as_deref(),
	)?)))
}

fn main() -> Result<(), Box<dyn Error>> {
	let arguments: Vec<String> = std::env::args().skip(1).collect();
	let [path, folder, count, out, prompts @ ..] = arguments.as_slice() else {
		return Err(
			"give a model, an adapter's folder or -, a number of tokens, a folder, prompts".into(),
		);
	};
	let count: usize = count.parse()?;
	let out = Path::new(out);
	std::fs::create_dir_all(out)?;
	let model = load_model(Path::new(path))?;
	let mut backend = CpuBackend::new(&model.config, model.weights, 1024, 2)?;
	let lora = adapter(folder, &model.config, &backend)?;
	let past_end = std::env::var_os("PAST_END").is_some_and(|set| set == "1");
	let mut answers = Vec::new();
	for (number, content) in prompts.iter().enumerate() {
		let message = ChatMessage {
			role: "user".into(),
			content: content.clone(),
		};
		let text = model.tokenizer.apply_chat_template(&[message], true)?;
		let prompt = model.tokenizer.encode_prompt(&text)?;
		let sequence = backend.open();
		let mut file =
			std::io::BufWriter::new(std::fs::File::create(out.join(format!("{number}.f32")))?);
		let (mut written, mut position) = (Vec::new(), 0);
		let mut tokens = prompt.clone();
		while written.len() < count {
			let length = tokens.len();
			let item = BatchItem {
				sequence,
				tokens,
				position,
				adapter: lora.clone(),
				logits: true,
			};
			let mut logits = Vec::new();
			backend.step(&[item], &mut logits)?;
			position += length;
			for value in &logits {
				file.write_all(&value.to_le_bytes())?;
			}
			let best = (0..logits.len())
				.max_by(|a, b| logits[*a].total_cmp(&logits[*b]))
				.ok_or("no logits")?;
			let best = u32::try_from(best)?;
			written.push(best);
			if model.config.eos.contains(&best) && !past_end {
				break;
			}
			tokens = vec![best];
		}
		file.flush()?;
		backend.close(sequence);
		answers.push(serde_json::json!({
			"text": text, "prompt": prompt, "answer": model.tokenizer.decode(&written)?, "ids": written,
		}));
	}
	std::fs::write(out.join("answers.json"), serde_json::to_vec(&answers)?)?;
	Ok(())
}
