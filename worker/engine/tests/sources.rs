//! Adapters from object stores: a folder, an HTTP server, and one that speaks S3, each real on its side of the wire.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
	io::{BufRead, BufReader, Write},
	net::{TcpListener, TcpStream},
	path::{Path, PathBuf},
	sync::{Arc, Mutex},
	time::{Duration, Instant},
};

use common::*;
use openledger_engine::*;

/// What a server does with a request for a file.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
	Plain,
	/// Wants a signature, as S3 does.
	Signed,
	/// Says more bytes than a store accepts.
	Boastful,
	/// Sends the files of another adapter.
	Forging,
	/// Sends half of it and goes.
	Breaking,
	/// Always fails.
	Failing,
}

/// Serves the files below a folder over HTTP/1.1, and notes what was asked.
struct Server {
	address: String,
	asked: Arc<Mutex<Vec<String>>>,
}

fn answer(
	stream: TcpStream,
	root: &Path,
	manner: Manner,
	asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
	let mut reader = BufReader::new(stream.try_clone()?);
	let mut stream = stream;
	loop {
		let mut lines = Vec::new();
		loop {
			let mut line = String::new();
			if reader.read_line(&mut line)? == 0 {
				return Ok(());
			}
			if line == "\r\n" {
				break;
			}
			lines.push(line.trim().to_lowercase());
		}
		asked.lock().unwrap().push(lines[0].clone());
		let path = lines[0].split(' ').nth(1).unwrap_or_default();
		let file = root.join(path.trim_start_matches('/'));
		let signed = lines
			.iter()
			.any(|line| line.starts_with("authorization: aws4-hmac-sha256 credential=key/"));
		let body = match std::fs::read(file) {
			_ if manner == Manner::Failing => Err("500 Internal Server Error"),
			_ if manner == Manner::Signed && !signed => Err("403 Forbidden"),
			Ok(body) => Ok(body),
			Err(_) => Err("404 Not Found"),
		};
		let (status, mut body) = match body {
			Ok(body) => ("200 OK", body),
			Err(status) => (status, Vec::new()),
		};
		if manner == Manner::Forging && path.ends_with("safetensors") {
			body.push(0);
		}
		let length = match manner {
			Manner::Boastful => 1 << 40,
			_ => body.len(),
		};
		write!(
			stream,
			"HTTP/1.1 {status}\r\nContent-Length: {length}\r\nETag: \"x\"\r\n\
			 Last-Modified: Sat, 21 Nov 2026 12:00:00 GMT\r\n\r\n"
		)?;
		if manner == Manner::Breaking {
			stream.write_all(&body[..body.len() / 2])?;
			return Ok(());
		}
		stream.write_all(&body)?;
	}
}

impl Server {
	fn start(root: PathBuf, manner: Manner) -> Self {
		let listener = TcpListener::bind("127.0.0.1:0").unwrap();
		let address = listener.local_addr().unwrap().to_string();
		let asked = Arc::new(Mutex::new(Vec::new()));
		let notes = Arc::clone(&asked);
		std::thread::spawn(move || {
			for stream in listener.incoming().flatten() {
				let (root, notes) = (root.clone(), Arc::clone(&notes));
				std::thread::spawn(move || {
					if let Err(error) = answer(stream, &root, manner, &notes) {
						println!("a client left: {error}");
					}
				});
			}
		});
		Self { address, asked }
	}
}

struct Places {
	folder: tempfile::TempDir,
	key: AdapterKey,
	absent: AdapterKey,
}

/// A far folder `far/bucket/some/prefix/<key>/…` with one adapter.
fn places() -> Places {
	let folder = tempfile::tempdir().unwrap();
	let far = AdapterStore::open(folder.path().join("far/bucket/some/prefix")).unwrap();
	let key = far.import(&fixture("llama").join("lora")).unwrap();
	let absent = AdapterKey {
		weights: [3; 32],
		config: [4; 32],
	};
	Places {
		folder,
		key,
		absent,
	}
}

impl Places {
	/// A new store with that source.
	fn store(&self, place: &str, options: &[(&str, &str)]) -> AdapterStore {
		let name = format!("store-{}", rand::random::<u64>());
		let store = AdapterStore::open(self.folder.path().join(name)).unwrap();
		store.add_source(ObjectSource::open(place, options).unwrap());
		store
	}

	fn server(&self, manner: Manner) -> Server {
		Server::start(self.folder.path().join("far"), manner)
	}
}

#[test]
fn adapters_should_come_from_folders_http_and_s3() {
	let places = places();
	let plain = places.server(Manner::Plain);
	let signed = places.server(Manner::Signed);
	let endpoint = format!("http://{}", signed.address);
	let options = [
		("aws_endpoint", endpoint.as_str()),
		("aws_region", "local"),
		("aws_access_key_id", "key"),
		("aws_secret_access_key", "secret"),
		("aws_virtual_hosted_style_request", "false"),
		("aws_allow_http", "true"),
	];
	let folder = places.folder.path().join("far/bucket/some/prefix");
	for (place, options) in [
		(format!("file://{}", folder.display()), &[][..]),
		(format!("http://{}/bucket/some/prefix/", plain.address), &[]),
		("s3://bucket/some/prefix".to_string(), &options),
	] {
		let store = places.store(&place, options);
		assert!(!store.contains(&places.key) && store.offers(&places.key));
		store
			.fetch(&places.key)
			.unwrap_or_else(|e| panic!("{place}: {e}"));
		let files = store.load(&places.key).unwrap();
		assert_eq!(files.key(), places.key, "{place}");
		store.fetch(&places.key).unwrap();
		let error = store.fetch(&places.absent).unwrap_err();
		assert_eq!(error.code(), "adapter-not-found", "{place}: {error}");
	}
	for server in [plain, signed] {
		let asked = server.asked.lock().unwrap();
		assert_eq!(
			asked.len(),
			3,
			"two files, and one that is not there: {asked:?}"
		);
	}
}

#[test]
fn places_that_misbehave_should_be_refused_by_name_and_in_time() {
	let places = places();
	for (manner, code) in [
		(Manner::Boastful, "adapter-too-large"),
		(Manner::Forging, "adapter-hash-mismatch"),
		(Manner::Breaking, "adapter-fetch"),
		(Manner::Failing, "adapter-fetch"),
		(Manner::Signed, "adapter-fetch"),
	] {
		let server = places.server(manner);
		let store = places.store(
			&format!("http://{}/bucket/some/prefix", server.address),
			&[],
		);
		let begin = Instant::now();
		let error = store.fetch(&places.key).unwrap_err();
		assert_eq!(error.code(), code, "{error}");
		assert!(
			begin.elapsed() < Duration::from_secs(20),
			"{:?}",
			begin.elapsed()
		);
		assert!(!store.contains(&places.key));
		assert_eq!(
			std::fs::read_dir(store.root()).unwrap().count(),
			0,
			"nothing is left"
		);
	}
	let nobody = TcpListener::bind("127.0.0.1:0")
		.unwrap()
		.local_addr()
		.unwrap();
	let store = places.store(&format!("http://{nobody}/x"), &[]);
	assert_eq!(
		store.fetch(&places.key).unwrap_err().code(),
		"adapter-fetch"
	);
	// The next source is asked when one fails.
	let plain = places.server(Manner::Plain);
	let address = format!("http://{}/bucket/some/prefix", plain.address);
	store.add_source(ObjectSource::open(&address, &[]).unwrap());
	store.fetch(&places.key).unwrap();
}

#[test]
fn addresses_that_are_none_should_be_refused() {
	for place in [
		"",
		"bucket",
		"ftp://host/x",
		"file://host/x",
		"http://user:secret@host/x",
		"s3://bucket/x?key=secret",
		"s3://bucket/../x",
	] {
		let error = ObjectSource::open(place, &[]).unwrap_err();
		assert_eq!(error.code(), "adapter-bad-source", "{place}");
		assert!(!error.to_string().contains("secret"), "{error}");
	}
	let error = ObjectSource::open("s3://bucket/x", &[("no_such_option", "1")]).unwrap_err();
	assert_eq!(error.code(), "adapter-bad-source");
}

#[test]
fn a_running_engine_should_serve_an_adapter_it_has_to_fetch() {
	let places = places();
	let server = places.server(Manner::Plain);
	let model = places.folder.path().join("model");
	std::fs::create_dir(&model).unwrap();
	fixture_model("llama", &model);
	let config = EngineConfig {
		threads: 1,
		..EngineConfig::new(places.folder.path().join("own"))
	};
	let engine = Engine::new(load_model(&model).unwrap(), config).unwrap();
	let address = format!("http://{}/bucket/some/prefix", server.address);
	engine
		.store()
		.add_source(ObjectSource::open(&address, &[]).unwrap());
	let ask = |adapter| {
		let request = Request {
			prompt: vec![5, 6, 7],
			max_tokens: 8,
			adapter,
			..Default::default()
		};
		engine.submit(request).and_then(TokenStream::wait)
	};
	let base = ask(None).unwrap();
	assert_ne!(ask(Some(places.key)).unwrap().ids, base.ids);
	assert_eq!(
		ask(Some(places.absent)).unwrap_err().code(),
		"adapter-not-found"
	);
	engine.check_adapter(&places.key).unwrap();
	// Dropping it inside another runtime must not panic.
	let runtime = tokio::runtime::Runtime::new().unwrap();
	runtime.block_on(async move { drop(engine) });
}
