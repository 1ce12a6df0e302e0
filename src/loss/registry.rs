//! Kinds of loss of other crates.

use std::sync::{PoisonError, RwLock};

use super::{LossFunction, LossSetupError, LossTargets};

/// A kind of loss of another crate.
#[derive(Clone, Copy, Debug)]
pub struct LossClass {
    /// The name. Recipes record it.
    pub name: &'static str,
    /// Sets up the loss from its value in the recipe. An error says why the value is invalid.
    pub build: fn(&str, &LossTargets<'_>) -> Result<Box<dyn LossFunction>, String>,
}

static CLASSES: RwLock<Vec<LossClass>> = RwLock::new(Vec::new());

/// Adds a kind for the whole process. It replaces one with the same name.
pub fn register(class: LossClass) {
    let mut added = CLASSES.write().unwrap_or_else(PoisonError::into_inner);
    added.retain(|other| other.name != class.name);
    added.push(class);
}

/// The kinds that were added.
#[must_use]
pub fn classes() -> Vec<LossClass> {
    CLASSES.read().unwrap_or_else(PoisonError::into_inner).clone()
}

pub(super) fn build(
    name: &str,
    value: &str,
    targets: &LossTargets<'_>,
) -> Result<Box<dyn LossFunction>, LossSetupError> {
    let classes = classes();
    let class = classes.iter().find(|class| class.name == name);
    let class = class.ok_or_else(|| LossSetupError::UnknownKind {
        name: name.to_owned(),
        known: match classes.as_slice() {
            [] => "no crate has registered a kind of loss".to_owned(),
            some => {
                let names = some.iter().map(|class| class.name).collect::<Vec<_>>();
                format!("choose one of {}", names.join(", "))
            }
        },
    })?;
    (class.build)(value, targets).map_err(|reason| LossSetupError::Custom {
        kind: name.to_owned(),
        value: value.to_owned(),
        reason,
    })
}
