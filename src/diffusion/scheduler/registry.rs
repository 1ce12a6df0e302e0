//! The table of scheduler classes.

use std::sync::{PoisonError, RwLock};

use super::{
    Scheduler, SchedulerConfig, SchedulerError,
    ddim::Ddim,
    ddpm::Ddpm,
    dpm_sde::DpmSde,
    dpm_solver::DpmSolver,
    euler::{Euler, EulerAncestral},
    flow_match::FlowMatchEuler,
    heun::Heun,
    lcm::Lcm,
    lms::Lms,
    pndm::Pndm,
    tcd::Tcd,
    unipc::UniPc,
};

/// Sets up a scheduler.
type Build = fn(&SchedulerConfig, usize) -> Result<Box<dyn Scheduler>, SchedulerError>;

/// A class of schedulers.
#[derive(Clone, Copy, Debug)]
pub struct SchedulerClass {
    /// The name of the class in diffusers, such as `DDIMScheduler`. A variant of a class has its option after a colon.
    /// Recipes record it.
    pub class_name: &'static str,
    /// A short name for command lines, such as `ddim`.
    pub short_name: &'static str,
    /// The display name, such as `DDIM`.
    pub title: &'static str,
    /// Whether [`Sampler::sigmas`](crate::recipe::Sampler::sigmas) has an effect.
    pub has_sigmas: bool,
    /// Whether it is for models that predict a flow ([`Prediction::Flow`](super::Prediction::Flow)). Such models need one
    /// of these classes, and others cannot use them.
    pub is_flow: bool,
    /// Sets up a scheduler for a number of steps in 1..=`num_train_timesteps`.
    pub build: Build,
}

/// All classes, in the order of menus.
static CLASSES: RwLock<Vec<SchedulerClass>> = RwLock::new(Vec::new());

const fn class(names: [&'static str; 3], has_sigmas: bool, build: Build) -> SchedulerClass {
    let [class_name, short_name, title] = names;
    SchedulerClass { class_name, short_name, title, has_sigmas, is_flow: false, build }
}

const BUILT_IN: [SchedulerClass; 14] = [
    class(["DPMSolverMultistepScheduler", "dpm++2m", "DPM++ 2M"], true, |c, n| {
        boxed(DpmSolver::new(c, n))
    }),
    class(
        ["DPMSolverMultistepScheduler:sde-dpmsolver++", "dpm++2m-sde", "DPM++ 2M SDE"],
        true,
        |c, n| boxed(DpmSolver::stochastic(c, n)),
    ),
    class(["DPMSolverSDEScheduler", "dpm++sde", "DPM++ SDE"], true, |c, n| {
        boxed(DpmSde::new(c, n))
    }),
    class(["EulerDiscreteScheduler", "euler", "Euler"], true, |c, n| boxed(Euler::new(c, n))),
    class(["EulerAncestralDiscreteScheduler", "euler-a", "Euler a"], true, |c, n| {
        boxed(EulerAncestral::new(c, n))
    }),
    class(["HeunDiscreteScheduler", "heun", "Heun"], true, |c, n| boxed(Heun::new(c, n))),
    class(["UniPCMultistepScheduler", "unipc", "UniPC"], true, |c, n| boxed(UniPc::new(c, n))),
    class(["DDIMScheduler", "ddim", "DDIM"], false, |c, n| boxed(Ddim::new(c, n))),
    class(["DDPMScheduler", "ddpm", "DDPM"], false, |c, n| boxed(Ddpm::new(c, n))),
    class(["PNDMScheduler", "pndm", "PNDM (PLMS)"], false, |c, n| boxed(Pndm::new(c, n))),
    class(["LMSDiscreteScheduler", "lms", "LMS"], true, |c, n| boxed(Lms::new(c, n))),
    class(["LCMScheduler", "lcm", "LCM"], false, |c, n| boxed(Lcm::new(c, n))),
    class(["TCDScheduler", "tcd", "TCD"], false, |c, n| boxed(Tcd::new(c, n))),
    SchedulerClass {
        is_flow: true,
        ..class(
            ["FlowMatchEulerDiscreteScheduler", "flow-euler", "Euler for flows"],
            true,
            |c, n| boxed(FlowMatchEuler::new(c, n)),
        )
    },
];

fn boxed(
    scheduler: Result<impl Scheduler + 'static, SchedulerError>,
) -> Result<Box<dyn Scheduler>, SchedulerError> {
    Ok(Box::new(scheduler?))
}

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
/// If the class is unknown or for models of another kind, if it does not support an option in the config, or if the config
/// does not allow this number of steps. The error names the value.
pub fn build(
    class_name: &str,
    config: &SchedulerConfig,
    steps: u32,
) -> Result<Box<dyn Scheduler>, SchedulerError> {
    let class = find(class_name).ok_or_else(|| SchedulerError::UnknownClass {
        class_name: class_name.to_owned(),
        known: classes().iter().map(|class| class.class_name).collect::<Vec<_>>().join(", "),
    })?;
    if class.is_flow != config.is_flow() {
        let able = classes().into_iter().filter(|other| other.is_flow == config.is_flow());
        return Err(SchedulerError::Kind {
            class_name: class.class_name.to_owned(),
            predicted: if config.is_flow() { "a flow" } else { "no flow" },
            known: able.map(|class| class.class_name).collect::<Vec<_>>().join(", "),
        });
    }
    let max = config.num_train_timesteps()?;
    let steps = steps as usize;
    if steps == 0 || steps > max {
        return Err(SchedulerError::Steps { steps, max });
    }
    (class.build)(config, steps)
}

#[cfg(test)]
mod tests {
    use super::{SchedulerClass as BuiltClass, *};
    use crate::diffusion::scheduler::FlowSchedule;

    #[test]
    fn an_unknown_class_is_named_with_the_known_ones() {
        let error =
            build("DEISScheduler", &SchedulerConfig::default(), 4).err().unwrap().to_string();
        assert!(error.contains("DEISScheduler") && error.contains("DDIMScheduler"), "{error}");
    }

    #[test]
    fn a_model_that_predicts_a_flow_and_others_have_different_classes() {
        let other = SchedulerConfig::default().for_latents();
        let flow = other.clone().for_flow(FlowSchedule::Trained);
        let error = |class: &str, config| build(class, config, 4).err().map(|it| it.to_string());
        for BuiltClass { class_name, is_flow, .. } in BUILT_IN {
            let (fits, not) = if is_flow { (&flow, &other) } else { (&other, &flow) };
            assert_eq!(error(class_name, fits), None);
            let error = error(class_name, not).unwrap();
            assert!(error.contains(class_name), "{error}");
            assert!(!error.contains("DDIMScheduler, ") || is_flow, "{error}");
        }
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
