//! Compares schedulers with diffusers on recorded model outputs.

use std::fs;

use bevy_illustrator::diffusion::scheduler::{FlowSchedule, SchedulerConfig, build, classes, find};
use candle_core::Tensor;
use serde_json::Value;

use super::{assert_near, fixture, numbers, range, tensors};

/// The tolerance, relative to the range. diffusers computes scalars in f32, this crate in f64.
const TOLERANCE: f64 = 2e-5;

#[test]
fn every_option_takes_the_same_steps_as_diffusers() {
    take_the_same_steps("", 200, |config, _| config);
}

#[test]
fn every_option_of_a_flow_takes_the_same_steps_as_diffusers() {
    take_the_same_steps("flow_", 15, |config, case| {
        let schedule = match case["flow"].as_str().unwrap() {
            "trained" => FlowSchedule::Trained,
            "flux2" => FlowSchedule::Flux2,
            other => panic!("{other}"),
        };
        config.for_flow(schedule).for_picture(case["latents"].as_u64().unwrap() as usize)
    });
}

/// Compares all runs of `{kind}cases.json`.
fn take_the_same_steps(
    kind: &str,
    count: usize,
    prepare: impl Fn(SchedulerConfig, &Value) -> SchedulerConfig,
) {
    let cases = fs::read_to_string(fixture(&format!("schedulers/{kind}cases.json"))).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&cases).unwrap();
    let recorded = tensors(&format!("schedulers/{kind}trajectories.safetensors"));
    assert!(cases.len() >= count);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let record = |key: &str| &recorded[&format!("{name}/{key}")];
        let class = find(case["scheduler"].as_str().unwrap()).unwrap().class_name;
        let config = SchedulerConfig::from_json(&case["config"].to_string()).unwrap();
        let config = prepare(config, &case);
        let mut scheduler = build(class, &config, case["steps"].as_u64().unwrap() as u32).unwrap();
        assert_eq!(scheduler.timesteps().len(), numbers(record("timesteps")).len(), "{name}");
        for (found, expected) in scheduler.timesteps().iter().zip(numbers(record("timesteps"))) {
            assert!((found - expected).abs() < 1e-3, "{name}: {found} is not {expected}");
        }
        let mut latents = (&recorded["noise"] * scheduler.init_noise_sigma()).unwrap();
        let mut rounding = 0.0;
        for step in 0..scheduler.timesteps().len() {
            let at = |key| record(key).narrow(0, step, 1).unwrap();
            let what = format!("{name}, step {step}");
            // If a step cancels most of large latents, their rounding errors remain.
            rounding += f64::from(f32::EPSILON) * range(&latents);
            let allowed = |to: &Tensor| TOLERANCE * range(to) + rounding;
            let inputs = scheduler.scale_model_input(&latents, step).unwrap();
            assert_near(&what, &inputs, &at("model_inputs"), allowed(&inputs));
            let noise = || Ok(recorded[&format!("step_noise/{step}")].clone());
            let stepped = scheduler.step(&at("model_outputs"), step, &latents, &noise).unwrap();
            let originals = at("predicted_originals");
            assert_near(&what, &stepped.predicted_original, &originals, allowed(&originals));
            assert_near(&what, &stepped.latents, &at("latents"), allowed(&stepped.latents));
            if let Some(noised) = recorded.get(&format!("{name}/noised")) {
                let (original, noise) = (&recorded["original"], &recorded["noise"]);
                let found = scheduler.add_noise(original, noise, step).unwrap();
                assert_near(&what, &found, &noised.narrow(0, step, 1).unwrap(), allowed(&found));
            }
            latents = stepped.latents;
        }
    }
}

#[test]
fn timesteps_match_diffusers_for_every_number_of_steps() {
    let recorded = tensors("schedulers/trajectories.safetensors");
    let config = r#"{"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
        "steps_offset": 1, "clip_sample": false, "skip_prk_steps": true, "timestep_spacing": "SPACING"}"#;
    for class in classes().into_iter().filter(|class| !class.is_flow) {
        for spacing in ["leading", "trailing", "linspace"] {
            let config = SchedulerConfig::from_json(&config.replace("SPACING", spacing)).unwrap();
            let name = format!("checksums/{}/{spacing}", class.short_name);
            let mut compared = 0;
            for (steps, expected) in (1..).zip(numbers(&recorded[&name])) {
                let Ok(scheduler) = build(class.class_name, &config, steps) else {
                    assert!(expected.is_nan(), "{name}: {steps} steps are refused");
                    continue;
                };
                let found = scheduler.timesteps();
                assert!(found.len() >= steps as usize, "{name}");
                assert!(found.iter().all(|timestep| (0.0..1000.0).contains(timestep)), "{name}");
                if !expected.is_nan() {
                    let sum: f64 = (1..).zip(found).map(|(i, t)| f64::from(i) * t).sum();
                    let error = (sum - expected).abs() / expected.max(1.0);
                    // The timesteps of DPM++ SDE are fractional, and diffusers does not round them to f32.
                    let allowed = if class.short_name == "dpm++sde" { 1e-7 } else { 1e-12 };
                    assert!(error < allowed, "{name}: {steps} steps: {sum} is not {expected}");
                    compared += 1;
                }
            }
            // Distilled models have 50 timesteps.
            let least = if ["lcm", "tcd"].contains(&class.short_name) { 50 } else { 930 };
            assert!(compared >= least, "{name}: only {compared}");
        }
    }
}
