//! Who may do what with adapters, and what a full store does.

use super::*;
use crate::{
	files::Files,
	testing::{World, ADAPTER},
};
use openledger_engine::store::WEIGHTS_FILE;
use openledger_primitives::content_hash;

fn with_token<T>(message: T) -> Request<T> {
	let mut request = Request::new(message);
	let bearer = "Bearer the operator's token in tests".parse().unwrap();
	request.metadata_mut().insert("authorization", bearer);
	request
}

#[tokio::test]
async fn only_the_operator_should_load_pin_and_unload() {
	let world = World::new().await;
	let services = Services::new(world.worker.clone());
	let model = || AdapterRequest {
		model: ADAPTER.into(),
	};
	let pin = || PinAdapterRequest {
		model: ADAPTER.into(),
		pinned: true,
	};
	for result in [
		services.load(Request::new(model())).await,
		services.unload(Request::new(model())).await,
		services.pin(Request::new(pin())).await,
	] {
		assert_eq!(result.unwrap_err().code(), tonic::Code::Unauthenticated);
	}
	services.load(with_token(model())).await.unwrap();
	services.unload(with_token(model())).await.unwrap();
	services.pin(with_token(pin())).await.unwrap();
}

#[tokio::test]
async fn upload_into_a_full_store_should_make_room_by_retired_adapters_alone() {
	let world = World::new().await;
	let (chain, payee) = (world.chain.clone(), world.payee.clone());
	let store = world.folder.path().join("store");
	let mut worker = Arc::into_inner(world.worker).unwrap();
	let listed = payee.catalog.adapter(payee.block().unwrap(), ADAPTER).await;
	let there = registered(&listed.unwrap());
	let quota = worker.files.bytes(&there) + 5;
	worker.files = Arc::new(Files::new(store, 1 << 20).with_quota(quota));
	let services = Services::new(Arc::new(worker));
	let files = services.worker.files.clone();
	let new = Registered {
		weights: content_hash(b"0123456789"),
		..there
	};
	let send = || async {
		let incoming = files.receive(&new, WEIGHTS_FILE).unwrap();
		let written = services.write(&payee, incoming, b"0123456789".to_vec());
		services.finish(Some(written.await?)).await
	};
	assert_eq!(send().await.unwrap_err().code(), "store-full");
	assert_eq!(files.missing(&there), None, "an active adapter stays");
	chain.lock().adapters[0].state = AdapterState::Retired;
	send().await.unwrap();
	assert_eq!(files.missing(&there), Some(WEIGHTS_FILE));
}
