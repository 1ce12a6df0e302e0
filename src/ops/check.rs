//! Helpers for the tests of the operations.

use candle_core::{Device, Result, Shape, Tensor, Var};

/// Pseudo-random f64 values between -2 and 2.
pub(crate) fn numbers(shape: impl Into<Shape>, seed: u64) -> Tensor {
    let shape = shape.into();
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let values: Vec<f64> = (0..shape.elem_count())
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64 * 4.0 - 2.0
        })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// The largest difference between two tensors.
pub(super) fn distance(left: &Tensor, right: &Tensor) -> f64 {
    assert_eq!(left.shape(), right.shape());
    let both = |tensor: &Tensor| {
        let tensor = tensor.to_dtype(candle_core::DType::F64).unwrap();
        tensor.flatten_all().unwrap().to_vec1::<f64>().unwrap()
    };
    let (left, right) = (both(left), both(right));
    let each = left.iter().zip(&right).map(|(left, right)| (left - right).abs());
    // `f64::max` would drop a NaN.
    each.fold(0.0, |worst, next| if next > worst || next.is_nan() { next } else { worst })
}

/// Asserts that no element differs by more than `tolerance`.
pub(super) fn assert_close(left: &Tensor, right: &Tensor, tolerance: f64) {
    let distance = distance(left, right);
    assert!(distance <= tolerance, "{distance:e} apart:\n{left}\n{right}");
}

/// Asserts that the gradient of each input matches central differences. The loss is a weighted sum of the
/// operation's outputs, with a different weight for each output.
pub(crate) fn gradients_agree<const N: usize>(
    inputs: &[Tensor; N],
    operation: impl Fn([&Tensor; N]) -> Result<Tensor>,
) {
    let loss = |inputs: [&Tensor; N]| -> Tensor {
        let result = operation(inputs).unwrap();
        (&result * numbers(result.shape(), 99)).unwrap().sum_all().unwrap()
    };
    let variables: Vec<Var> = inputs.iter().map(|input| Var::from_tensor(input).unwrap()).collect();
    let gradients = loss(std::array::from_fn(|at| variables[at].as_tensor())).backward().unwrap();
    for (index, input) in inputs.iter().enumerate() {
        let gradient = gradients.get(variables[index].as_tensor());
        let gradient = gradient.unwrap_or_else(|| panic!("input {index} has no gradient"));
        let values = input.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let step = 1e-5;
        let differences: Vec<f64> = (0..values.len())
            .map(|at| {
                let [up, down] =
                    [step, -step].map(|step| {
                        let mut moved = values.clone();
                        moved[at] += step;
                        let moved = Tensor::from_vec(moved, input.shape(), input.device()).unwrap();
                        let inputs = std::array::from_fn(|other| {
                            if other == index { &moved } else { &inputs[other] }
                        });
                        loss(inputs).to_scalar::<f64>().unwrap()
                    });
                (up - down) / (2.0 * step)
            })
            .collect();
        let differences = Tensor::from_vec(differences, input.shape(), input.device()).unwrap();
        assert_close(gradient, &differences, 1e-7);
    }
}
