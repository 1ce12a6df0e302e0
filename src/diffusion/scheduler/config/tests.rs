use proptest::prelude::*;

use super::*;
use crate::diffusion::scheduler::{FlowSchedule, SchedulerClass, build, classes};

/// The classes for models that do not predict a flow.
fn diffusion_classes() -> impl Iterator<Item = SchedulerClass> {
    classes().into_iter().filter(|class| !class.is_flow)
}

fn error(class: &str, json: &str, steps: u32) -> String {
    let config = SchedulerConfig::from_json(json).unwrap();
    match build(class, &config, steps) {
        Ok(_) => panic!("{json} was accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_unsupported_option_is_named_with_its_value() {
    let [ddim, euler, dpm] =
        ["DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler"];
    let [unipc, pndm, lcm] = ["UniPCMultistepScheduler", "PNDMScheduler", "LCMScheduler"];
    for (class, json, words) in [
        (dpm, r#"{"solver_order": 3}"#, ["solver_order", "3"]),
        (dpm, r#"{"algorithm_type": "sde-dpmsolver"}"#, ["algorithm_type", "sde"]),
        (unipc, r#"{"predict_x0": false}"#, ["predict_x0", "false"]),
        (unipc, r#"{"solver_order": 4}"#, ["solver_order", "4"]),
        (pndm, r#"{"skip_prk_steps": false}"#, ["skip_prk_steps", "false"]),
        (lcm, r#"{"original_inference_steps": 0}"#, ["original_inference_steps", "0"]),
        (dpm, r#"{"use_flow_sigmas": true}"#, ["use_flow_sigmas", "true"]),
        (dpm, r#"{"use_lu_lambdas": true}"#, ["use_lu_lambdas", "true"]),
        (dpm, r#"{"variance_type": "learned"}"#, ["variance_type", "learned"]),
        (
            euler,
            r#"{"use_beta_sigmas": true, "use_karras_sigmas": true}"#,
            ["use_beta_sigmas", "use_karras_sigmas"],
        ),
        (euler, r#"{"timestep_type": "continuous"}"#, ["timestep_type", "continuous"]),
        (ddim, r#"{"prediction_type": "flow_prediction"}"#, ["prediction_type", "flow"]),
        (ddim, r#"{"beta_schedule": "sigmoid"}"#, ["beta_schedule", "sigmoid"]),
        (ddim, r#"{"beta_start": "low"}"#, ["beta_start", "low"]),
        (ddim, r#"{"beta_end": 1.5}"#, ["beta_end", "1.5"]),
        (ddim, r#"{"trained_betas": [0.1, 0.2]}"#, ["trained_betas", "0.2"]),
        (ddim, r#"{"num_train_timesteps": 0}"#, ["num_train_timesteps", "0"]),
    ] {
        let message = error(class, json, 4);
        for word in words {
            assert!(message.contains(word), "{json}: {message}");
        }
    }
}

#[test]
fn the_config_of_a_training_script_sets_up_every_scheduler() {
    // What `DDPMScheduler.save_config` of diffusers 0.42 writes.
    let ddpm = r#"{
        "_class_name": "DDPMScheduler", "_diffusers_version": "0.42.1", "beta_end": 0.012,
        "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": true,
        "clip_sample_range": 1.0, "dynamic_thresholding_ratio": 0.995,
        "num_train_timesteps": 1000, "prediction_type": "epsilon",
        "rescale_betas_zero_snr": false, "sample_max_value": 1.0, "steps_offset": 0,
        "thresholding": false, "timestep_spacing": "leading", "trained_betas": null,
        "variance_type": "fixed_small"
    }"#;
    for class in diffusion_classes().map(|class| class.class_name) {
        for variance in ["fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"] {
            let json = ddpm.replace("fixed_small", variance);
            let config = SchedulerConfig::from_json(&json).unwrap().for_latents();
            let built = build(class, &config, 4);
            let built = built.unwrap_or_else(|error| panic!("{class}: {error}"));
            // `leading` with an offset of 1, as diffusers' `set_timesteps` computes it.
            let expected: &[f64] = match class {
                "UniPCMultistepScheduler" => &[801.0, 601.0, 401.0, 201.0],
                dpm if dpm.starts_with("DPMSolverMulti") => &[801.0, 601.0, 401.0, 201.0],
                "PNDMScheduler" => &[751.0, 501.0, 501.0, 251.0, 1.0],
                "HeunDiscreteScheduler" => &[751.0, 501.0, 501.0, 251.0, 251.0, 1.0, 1.0],
                "DPMSolverSDEScheduler" => {
                    assert_eq!(built.timesteps().len(), 7);
                    continue;
                }
                "LCMScheduler" | "TCDScheduler" => &[999.0, 759.0, 499.0, 259.0],
                _ => &[751.0, 501.0, 251.0, 1.0],
            };
            assert_eq!(built.timesteps(), expected, "{class}");
        }
    }
}

#[test]
fn the_noise_levels_of_an_author_replace_those_of_the_model() {
    let of = |config: SchedulerConfig| {
        let built = build("EulerDiscreteScheduler", &config, 5).unwrap();
        (0..=5).map(|step| built.alpha_sigma(step)[1]).collect::<Vec<_>>()
    };
    let json = |json: &str| SchedulerConfig::from_json(json).unwrap();
    for (sigmas, field) in [
        (SigmaSpacing::Timesteps, "use_karras_sigmas\": false, \"other"),
        (SigmaSpacing::Karras, "use_karras_sigmas"),
        (SigmaSpacing::Exponential, "use_exponential_sigmas"),
        (SigmaSpacing::Beta, "use_beta_sigmas"),
    ] {
        let expected = of(json(&format!("{{\"{field}\": true}}")));
        for model in ["{}", r#"{"use_karras_sigmas": true}"#, r#"{"use_beta_sigmas": true}"#] {
            let config = json(model).with_sigmas(sigmas, "EulerDiscreteScheduler").unwrap();
            assert_eq!(of(config), expected, "{sigmas:?}, {model}");
        }
    }
}

#[test]
fn a_scheduler_without_a_choice_of_noise_levels_is_named_with_those_that_have_one() {
    let config = SchedulerConfig::default();
    let error = config.with_sigmas(SigmaSpacing::Karras, "LCMScheduler").unwrap_err();
    let error = error.to_string();
    for word in ["LCMScheduler", "karras", "EulerDiscreteScheduler"] {
        assert!(error.contains(word), "{error}");
    }
    assert!(!error.contains("DDIMScheduler"), "{error}");
}

#[test]
fn an_impossible_number_of_steps_is_refused() {
    let config = r#"{"timestep_spacing": "leading", "steps_offset": 1}"#;
    for class in diffusion_classes().map(|class| class.class_name) {
        let config = &config.replace('}', r#", "skip_prk_steps": true}"#);
        assert!(error(class, config, 0).contains("1 to 1000"));
        assert!(error(class, config, 1001).contains("1001"));
        let expected = match class {
            "LCMScheduler" | "TCDScheduler" => "this model supports 1 to 50",
            _ => "1000 steps are too many",
        };
        assert!(error(class, config, 1000).contains(expected), "{class}");
    }
}

/// A value of a field: mostly one that some field accepts.
fn some_value() -> impl Strategy<Value = Value> {
    let words = [
        "linspace",
        "leading",
        "trailing",
        "epsilon",
        "v_prediction",
        "sample",
        "scaled_linear",
        "squaredcos_cap_v2",
        "zero",
        "sigma_min",
        "log_linear",
        "bh1",
        "heun",
        "fixed_large",
    ];
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0_u64..60).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1.0..2.0).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
        prop::collection::vec(0.0001..0.5, 0..8).prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn any_config_sets_up_finite_steps_or_is_refused(
        fields in prop::collection::vec((prop::sample::select(FIELDS.to_vec()), some_value()), 0..6),
        steps in prop_oneof![1_u32..60, any::<u32>()],
        schedule in prop::sample::select(vec![FlowSchedule::Trained, FlowSchedule::Flux2, FlowSchedule::ZImage]),
        latents in prop_oneof![1_usize..5000, any::<usize>()],
    ) {
        let fields: Map<String, Value> =
            fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
        let config = SchedulerConfig { fields, flow: None };
        let config = config.with_default("skip_prk_steps", true.into());
        for class in classes() {
            let config = match class.is_flow {
                true => config.clone().for_flow(schedule).for_picture(latents),
                false => config.clone(),
            };
            let Ok(built) = build(class.class_name, &config, steps) else { continue };
            let count = built.timesteps().len();
            prop_assert!(count >= steps as usize, "{}", class.class_name);
            prop_assert!(built.timesteps().iter().all(|timestep| timestep.is_finite()));
            for step in 0..=count {
                let [alpha, sigma] = built.alpha_sigma(step);
                let sound = (0.0..=1.0).contains(&alpha) && sigma >= 0.0 && sigma.is_finite();
                prop_assert!(sound, "{} {config:?}: {alpha}, {sigma}", class.class_name);
            }
        }
    }
}

/// The fields that some scheduler reads.
const FIELDS: [&str; 41] = [
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "rescale_betas_zero_snr",
    "timestep_spacing",
    "steps_offset",
    "prediction_type",
    "clip_sample",
    "clip_sample_range",
    "thresholding",
    "dynamic_thresholding_ratio",
    "sample_max_value",
    "use_karras_sigmas",
    "use_exponential_sigmas",
    "use_beta_sigmas",
    "sigma_min",
    "sigma_max",
    "final_sigmas_type",
    "interpolation_type",
    "solver_order",
    "solver_type",
    "lower_order_final",
    "euler_at_final",
    "lambda_min_clipped",
    "variance_type",
    "original_inference_steps",
    "timestep_scaling",
    "set_alpha_to_one",
    "shift",
    "use_dynamic_shifting",
    "base_shift",
    "max_shift",
    "base_image_seq_len",
    "max_image_seq_len",
    "time_shift_type",
    "shift_terminal",
    "stochastic_sampling",
    "invert_sigmas",
    "use_flow_sigmas",
];

#[test]
fn options_of_a_flow_that_make_no_steps_are_named_with_their_values() {
    for (json, steps, words) in [
        (r#"{"invert_sigmas": true}"#, 4, ["invert_sigmas", "true"]),
        (r#"{"shift": 0}"#, 4, ["shift", "0"]),
        (r#"{"shift": 1e30}"#, 4, ["shift", "1e+30"]),
        (r#"{"time_shift_type": "cubic"}"#, 4, ["time_shift_type", "cubic"]),
        (r#"{"shift_terminal": 1}"#, 4, ["shift_terminal", "1"]),
        (r#"{"shift_terminal": 0.1}"#, 1, ["shift_terminal", "two steps"]),
    ] {
        let config = SchedulerConfig::from_json(json).unwrap().for_flow(FlowSchedule::Flux2);
        let error = build("FlowMatchEulerDiscreteScheduler", &config, steps).err().unwrap();
        let error = error.to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    let json = r#"{"use_dynamic_shifting": true, "base_image_seq_len": 9, "max_image_seq_len": 9}"#;
    let config = SchedulerConfig::from_json(json).unwrap().for_flow(FlowSchedule::Trained);
    let error = build("FlowMatchEulerDiscreteScheduler", &config, 4).err().unwrap().to_string();
    assert!(error.contains("max_image_seq_len") && error.contains('9'), "{error}");
}

#[test]
fn infinity_in_the_notation_of_python_is_read() {
    let json = r#"{"lambda_min_clipped": -Infinity, "_class_name": "Infinity"}"#;
    let config = SchedulerConfig::from_json(json).unwrap();
    assert_eq!(config.number("lambda_min_clipped").unwrap(), Some(-1e308));
    assert_eq!(config.fields["_class_name"], "Infinity");
}
