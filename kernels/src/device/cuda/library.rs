//! Products by cuBLASLt.

use std::{collections::HashMap, ffi::c_void};

use cudarc::{
	cublaslt::{result, sys},
	driver::sys::CUstream,
};

use crate::device::{DeviceError, Element, Gemm, Ptr};

/// Whether the library is there.
pub(super) fn present() -> bool {
	// SAFETY: loading the library runs its own initialisers, which is what is wanted.
	unsafe { sys::is_culib_present() }
}

fn call<T>(call: &'static str, result: Result<T, result::CublasError>) -> Result<T, DeviceError> {
	result.map_err(|error| DeviceError::Driver {
		call,
		why: format!("{error:?}"),
	})
}

/// Rows, outputs, inputs, and type of the result.
type Shape = (usize, usize, usize, Element);

/// How one shape is multiplied: descriptors and the algorithm that was chosen for it.
struct Plan {
	description: sys::cublasLtMatmulDesc_t,
	/// Of the weights, the inputs, the result.
	layouts: [sys::cublasLtMatrixLayout_t; 3],
	preference: sys::cublasLtMatmulPreference_t,
	algorithm: Option<sys::cublasLtMatmulAlgo_t>,
}

impl Drop for Plan {
	fn drop(&mut self) {
		// SAFETY: the plan's own handles; those that were not made are null.
		unsafe {
			if !self.preference.is_null() {
				let _ = result::destroy_matmul_pref(self.preference);
			}
			for layout in self.layouts.iter().filter(|l| !l.is_null()) {
				let _ = result::destroy_matrix_layout(*layout);
			}
			if !self.description.is_null() {
				let _ = result::destroy_matmul_desc(self.description);
			}
		}
	}
}

/// The library with the plans of the shapes it has met.
pub(super) struct Library {
	handle: sys::cublasLtHandle_t,
	workspace: Ptr,
	bytes: usize,
	plans: HashMap<Shape, Plan>,
}

impl Library {
	pub fn new(workspace: Ptr, bytes: usize) -> Result<Self, DeviceError> {
		Ok(Self {
			handle: call("cublasLtCreate", result::create_handle())?,
			workspace,
			bytes,
			plans: HashMap::new(),
		})
	}

	/// The library's matrices are column-major: `yᵀ[n, m] = (wᵀ)ᵀ[n, k] · xᵀ[k, m]`.
	fn plan(&self, (rows, n, k, out): Shape) -> Result<Plan, DeviceError> {
		let mut plan = Plan {
			description: std::ptr::null_mut(),
			layouts: [std::ptr::null_mut(); 3],
			preference: std::ptr::null_mut(),
			algorithm: None,
		};
		plan.description = call(
			"cublasLtMatmulDescCreate",
			result::create_matmul_desc(
				sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
				sys::cudaDataType::CUDA_R_32F,
			),
		)?;
		// CUBLAS_OP_T.
		let transposed: i32 = 1;
		// SAFETY: the descriptor was just made; the attribute is a number of this size.
		call("cublasLtMatmulDescSetAttribute", unsafe {
			result::set_matmul_desc_attribute(
				plan.description,
				sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_TRANSA,
				(&raw const transposed).cast::<c_void>(),
				size_of::<i32>(),
			)
		})?;
		let narrow = sys::cudaDataType::CUDA_R_16BF;
		let wide = match out {
			Element::F32 => sys::cudaDataType::CUDA_R_32F,
			Element::Bf16 => narrow,
		};
		let shapes = [(narrow, k, n, k), (narrow, k, rows, k), (wide, n, rows, n)];
		for (layout, (kind, rows, columns, pitch)) in plan.layouts.iter_mut().zip(shapes) {
			*layout = call(
				"cublasLtMatrixLayoutCreate",
				result::create_matrix_layout(kind, rows as u64, columns as u64, pitch as i64),
			)?;
		}
		plan.preference = call(
			"cublasLtMatmulPreferenceCreate",
			result::create_matmul_pref(),
		)?;
		use sys::cublasLtMatmulPreferenceAttributes_t as Attribute;
		let bytes = self.bytes as u64;
		let set = |attribute, value: *const c_void, size| {
			// SAFETY: the preference was just made; the attribute is a number of this size.
			call("cublasLtMatmulPreferenceSetAttribute", unsafe {
				result::set_matmul_pref_attribute(plan.preference, attribute, value, size)
			})
		};
		set(
			Attribute::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
			(&raw const bytes).cast(),
			size_of::<u64>(),
		)?;
		// No sums over blocks whose order is not fixed.
		let none: u32 = 0;
		set(
			Attribute::CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
			(&raw const none).cast(),
			size_of::<u32>(),
		)?;
		let align: u32 = 16;
		for attribute in [
			Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
			Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
			Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
			Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES,
		] {
			set(attribute, (&raw const align).cast(), size_of::<u32>())?;
		}
		let [a, b, c] = plan.layouts;
		// SAFETY: all handles were just made.
		let found = call("cublasLtMatmulAlgoGetHeuristic", unsafe {
			result::get_matmul_algo_heuristic(
				self.handle,
				plan.description,
				a,
				b,
				c,
				c,
				plan.preference,
			)
		})?;
		plan.algorithm = Some(found.algo);
		Ok(plan)
	}

	/// Queues a product of all `rows.most` rows.
	pub fn multiply(&mut self, stream: CUstream, op: &Gemm) -> Result<(), DeviceError> {
		let shape = (op.rows.most, op.weights.n, op.weights.k, op.out);
		if !self.plans.contains_key(&shape) {
			let plan = self.plan(shape)?;
			self.plans.insert(shape, plan);
		}
		let Some(plan) = self.plans.get(&shape) else {
			return Err(DeviceError::shape("gemm", "no plan for the product"));
		};
		let Some(algorithm) = &plan.algorithm else {
			return Err(DeviceError::shape("gemm", "no algorithm for the product"));
		};
		let (one, zero) = (1f32, 0f32);
		let [a, b, c] = plan.layouts;
		let y = op.y.0 as *mut c_void;
		// SAFETY: the operands lie in the arena with the sizes of the layouts, as `Op::check` has seen; the workspace
		// has its size; the library's stream type is the driver's.
		call("cublasLtMatmul", unsafe {
			result::matmul(
				self.handle,
				plan.description,
				(&raw const one).cast(),
				(&raw const zero).cast(),
				op.weights.data.0 as *const c_void,
				a,
				op.x.0 as *const c_void,
				b,
				y.cast_const(),
				c,
				y,
				c,
				algorithm,
				self.workspace.0 as *mut c_void,
				self.bytes,
				stream.cast(),
			)
		})
	}
}

impl Drop for Library {
	fn drop(&mut self) {
		self.plans.clear();
		// SAFETY: made once, and its plans are gone.
		let _ = unsafe { result::destroy_handle(self.handle) };
	}
}
