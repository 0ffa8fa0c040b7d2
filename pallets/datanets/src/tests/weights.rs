use crate::{mock::*, *};

use frame::testing_prelude::Weight;

fn weight(call: Call<Test>) -> Weight {
	call.get_dispatch_info().call_weight
}

#[test]
fn claim_duplicate_should_cost_by_the_nodes_of_both_proofs() {
	let call = |nodes: u32| {
		let proof = |contribution| RecordProof {
			contribution,
			index: 0,
			leaf: leaves(&["a wren"])[0],
			proof: vec![Node::default(); nodes as usize].try_into().unwrap(),
		};
		weight(Call::<Test>::claim_duplicate {
			datanet: 0,
			original: proof(0),
			duplicate: proof(1),
		})
	};
	assert!(call(0).ref_time() < call(1).ref_time());
	assert!(call(1).ref_time() < call(MAX_PROOF).ref_time());
}

#[test]
fn conclude_review_should_be_charged_for_a_full_panel_first() {
	let most = weight(Call::<Test>::conclude_review {
		datanet: 0,
		contribution: 0,
	});
	assert_eq!(most, <() as WeightInfo>::conclude_review(PANEL));
	assert!(most.all_gte(<() as WeightInfo>::conclude_review(PANEL - 1)));
}
