//! Optimizers of latents, under their class names in `torch.optim`.

mod adam;
mod lbfgs;
mod sgd;

use candle_core::{DType, Result, Tensor};

use super::DrawError;

pub use self::{adam::Adam, lbfgs::Lbfgs, sgd::Sgd};

/// Makes the value of a function small, step by step.
pub trait Optimizer: Send {
    /// The next point after `x`, from the gradient at `x`. Both have the same shape in all steps.
    ///
    /// # Errors
    /// If candle fails.
    fn step(&mut self, x: &Tensor, gradient: &Tensor) -> Result<Tensor>;
}

/// A class of optimizers.
#[derive(Clone, Copy, Debug)]
pub struct OptimizerClass {
    /// The name of the class in `torch.optim`, such as `Adam`. Recipes record it as their scheduler.
    pub class_name: &'static str,
    /// The display name.
    pub title: &'static str,
    /// Sets up an optimizer with a learning rate that suits latents.
    build: fn() -> Box<dyn Optimizer>,
}

/// All classes, in the order of menus.
pub const CLASSES: [OptimizerClass; 3] = [
    OptimizerClass {
        class_name: "SGD",
        title: "SGD with momentum",
        build: || Box::new(Sgd::new(1e-4, 0.9)),
    },
    OptimizerClass { class_name: "Adam", title: "Adam", build: || Box::new(Adam::new(0.03)) },
    OptimizerClass {
        class_name: "LBFGS",
        title: "L-BFGS",
        build: || Box::new(Lbfgs::new(0.5, 10)),
    },
];

/// The class with this name.
#[must_use]
pub fn find(class_name: &str) -> Option<OptimizerClass> {
    CLASSES.into_iter().find(|class| class.class_name == class_name)
}

/// Sets up the optimizer with this class name.
///
/// # Errors
/// [`DrawError::Optimizer`] if the class is unknown.
pub fn build(class_name: &str) -> std::result::Result<Box<dyn Optimizer>, DrawError> {
    let class = find(class_name).ok_or_else(|| DrawError::Optimizer {
        class_name: class_name.to_owned(),
        known: CLASSES.map(|class| class.class_name).join(", "),
    })?;
    Ok((class.build)())
}

/// The sum of the products of all elements.
fn dot(a: &Tensor, b: &Tensor) -> Result<f64> {
    (a * b)?.sum_all()?.to_dtype(DType::F64)?.to_scalar()
}

#[cfg(test)]
mod tests;
