//! The table of scheduler classes.

use std::sync::{PoisonError, RwLock};

use super::{
    Scheduler, SchedulerConfig, SchedulerError, ddim::Ddim, dpm_solver::DpmSolver, euler::Euler,
};

/// A class of schedulers.
#[derive(Clone, Copy, Debug)]
pub struct SchedulerClass {
    /// The name of the class in diffusers, such as `DDIMScheduler`. Recipes record it.
    pub class_name: &'static str,
    /// A short name for command lines, such as `ddim`.
    pub short_name: &'static str,
    /// The display name, such as `DDIM`.
    pub title: &'static str,
    /// Sets up a scheduler for a number of steps in 1..=`num_train_timesteps`.
    pub build: fn(&SchedulerConfig, usize) -> Result<Box<dyn Scheduler>, SchedulerError>,
}

/// All classes, in the order of menus.
static CLASSES: RwLock<Vec<SchedulerClass>> = RwLock::new(Vec::new());

/// DDIM (Song et al. 2021, arXiv:2010.02502), Euler (Karras et al. 2022, arXiv:2206.00364, algorithm
/// 2 without churn) and DPM-Solver++ 2M (Lu et al. 2022, arXiv:2211.01095).
const BUILT_IN: [SchedulerClass; 3] = [
    SchedulerClass {
        class_name: "DDIMScheduler",
        short_name: "ddim",
        title: "DDIM",
        build: |config, steps| Ok(Box::new(Ddim::new(config, steps)?)),
    },
    SchedulerClass {
        class_name: "EulerDiscreteScheduler",
        short_name: "euler",
        title: "Euler",
        build: |config, steps| Ok(Box::new(Euler::new(config, steps)?)),
    },
    SchedulerClass {
        class_name: "DPMSolverMultistepScheduler",
        short_name: "dpm++2m",
        title: "DPM++ 2M",
        build: |config, steps| Ok(Box::new(DpmSolver::new(config, steps)?)),
    },
];

/// Adds a class for the whole process. It replaces one with the same class name.
pub fn register(class: SchedulerClass) {
    let mut added = CLASSES.write().unwrap_or_else(PoisonError::into_inner);
    added.retain(|other| other.class_name != class.class_name);
    added.push(class);
}

/// All classes: the built-in ones, then those that were added.
#[must_use]
pub fn classes() -> Vec<SchedulerClass> {
    let added = CLASSES.read().unwrap_or_else(PoisonError::into_inner);
    let is_replaced =
        |class: &SchedulerClass| added.iter().any(|other| other.class_name == class.class_name);
    BUILT_IN.into_iter().filter(|class| !is_replaced(class)).chain(added.iter().copied()).collect()
}

/// The class with this class name or short name.
#[must_use]
pub fn find(name: &str) -> Option<SchedulerClass> {
    classes().into_iter().find(|class| class.class_name == name || class.short_name == name)
}

/// Sets up the scheduler with this class name, for a model's config and a number of steps.
///
/// # Errors
/// If the class is unknown, if it does not support an option in the config, or if the config does
/// not allow this number of steps. The error names the value.
pub fn build(
    class_name: &str,
    config: &SchedulerConfig,
    steps: u32,
) -> Result<Box<dyn Scheduler>, SchedulerError> {
    let class = find(class_name).ok_or_else(|| SchedulerError::UnknownClass {
        class_name: class_name.to_owned(),
        known: classes().iter().map(|class| class.class_name).collect::<Vec<_>>().join(", "),
    })?;
    let max = config.num_train_timesteps()?;
    let steps = steps as usize;
    if steps == 0 || steps > max {
        return Err(SchedulerError::Steps { steps, max });
    }
    (class.build)(config, steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_class_is_named_with_the_known_ones() {
        let error =
            build("LCMScheduler", &SchedulerConfig::default(), 4).err().unwrap().to_string();
        assert!(error.contains("LCMScheduler") && error.contains("DDIMScheduler"), "{error}");
    }

    #[test]
    fn a_class_is_found_by_class_name_and_short_name() {
        for class in BUILT_IN {
            for name in [class.class_name, class.short_name] {
                assert_eq!(find(name).unwrap().title, class.title);
            }
        }
    }
}
