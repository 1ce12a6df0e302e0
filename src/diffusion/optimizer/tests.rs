use candle_core::{Device, Tensor};

use super::*;

/// The gradient of Rosenbrock's function.
fn rosenbrock(x: &Tensor) -> Tensor {
    let point = x.to_vec1::<f64>().unwrap();
    let (x, y) = (point[0], point[1]);
    let curve = 200.0 * (y - x * x);
    Tensor::new(&[-2.0 * (1.0 - x) - 2.0 * x * curve, curve], &Device::Cpu).unwrap()
}

/// `tests/reference/optimizers.py` records the points of `torch.optim`.
#[test]
fn every_step_equals_that_of_pytorch() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/reference/fixtures/optimizers/rosenbrock.safetensors"
    );
    let recorded = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    let optimizers: [(&str, Box<dyn Optimizer>); 3] = [
        ("SGD", Box::new(Sgd::new(0.001, 0.9))),
        ("Adam", Box::new(Adam::new(0.05))),
        ("LBFGS", Box::new(Lbfgs::new(0.5, 3))),
    ];
    for (name, mut optimizer) in optimizers {
        let expected = recorded[name].to_vec2::<f64>().unwrap();
        let mut x = Tensor::new(expected[0].as_slice(), &Device::Cpu).unwrap();
        for (step, expected) in expected.iter().enumerate().skip(1) {
            x = optimizer.step(&x, &rosenbrock(&x)).unwrap();
            let found = x.to_vec1::<f64>().unwrap();
            let error = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(error <= 1e-9, "{name}, step {step}: {found:?} instead of {expected:?}");
        }
    }
}

#[test]
fn all_classes_are_set_up_and_an_unknown_one_is_refused_with_their_names() {
    for class in CLASSES {
        assert!(build(class.class_name).is_ok() && find(class.class_name).is_some());
    }
    let error = build("DDIMScheduler").err().unwrap().to_string();
    assert!(error.contains("DDIMScheduler") && error.contains("SGD, Adam, LBFGS"), "{error}");
}
