//! The crop and the denoising strengths of edits.

use bevy_illustrator::{
    diffusion::{Interrupt, Trace, scheduler},
    mask::{Area, Mask},
    recipe::{EditKind, Part},
};

use super::{assert_kept, landscape, model, part, request};

#[test]
fn an_edit_samples_only_a_crop_around_the_part() {
    let spot = Area { x: 200, y: 24, width: 24, height: 24 };
    let mask = Mask::rectangle(512, 256, spot);
    // A half and all of the pictures that the model was trained on.
    for (strength, side) in [(0.5, 128), (1.0, 256)] {
        let mut part = part(EditKind::Refine, mask.clone());
        part.edit.strength = Some(strength);
        let request = request(landscape(512, 256), vec![part]);
        let mut trace = Trace::default();
        let edited = model().edit(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
        trace.record_plan(&model().plan_edit(&request).unwrap()).unwrap();
        let shape = |name: &str| trace.get(name).unwrap().dims().to_vec();
        let context: Vec<f32> = trace.get("context_box").unwrap().to_vec1().unwrap();
        let plan = model().plan_edit(&request).unwrap();
        let Area { x, y, width, height } = plan.crop;
        assert_eq!(context, [x, y, width, height].map(|side| side as f32));
        assert_eq!((width, height), (side, side), "{strength}");
        let latents = side as usize / 16;
        assert_eq!(shape("latents_0")[2..], [latents, latents]);
        assert_eq!(shape("latents_1"), shape("latents_0"));
        assert_eq!(shape("blend_mask"), [1, 1, 256, 512]);
        assert_eq!(shape("image"), [1, 3, 256, 512]);
        assert_kept(&request.picture, &edited.image, &plan.blend_mask);
    }
}

#[test]
fn the_denoise_mask_extends_beyond_the_blend_mask_and_is_at_least_as_strong() {
    let spot = Area { x: 96, y: 96, width: 96, height: 64 };
    let mut part = part(EditKind::Replace, Mask::rectangle(256, 256, spot));
    let traced = |part: &Part| {
        let request = request(landscape(256, 256), vec![part.clone()]);
        let mut trace = Trace::default();
        model().edit(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
        let denoise = trace.get("denoise_mask").unwrap().clone();
        let values: Vec<f32> = denoise.flatten_all().unwrap().to_vec1().unwrap();
        (denoise.dim(3).unwrap(), values, model().plan_edit(&request).unwrap())
    };
    // Without grow and feather, exactly the latents inside the mask, 16 pixels each.
    let (_, exact, _) = traced(&part);
    assert_eq!(exact.iter().filter(|&&strength| strength == 1.0).count(), 6 * 4);
    assert_eq!(exact.iter().filter(|&&strength| strength > 0.0).count(), 6 * 4);
    (part.edit.grow, part.edit.feather) = (Some(0), Some(14));
    let (columns, wider, plan) = traced(&part);
    // A blend feather of 14 pixels is a denoise feather of 18, which reaches the second latent.
    assert!(wider.iter().filter(|&&strength| strength > 0.0).count() > 8 * 6);
    for (at, &strength) in wider.iter().enumerate() {
        let [left, top] =
            [plan.crop.x + (at % columns) as u32 * 16, plan.crop.y + (at / columns) as u32 * 16];
        let visible =
            (0..256).map(|i| plan.blend_mask.at(left + i % 16, top + i / 16)).max().unwrap();
        assert!(strength >= f32::from(visible) / 255.0, "{left} {top}: {strength} < {visible}");
    }
}

#[test]
fn a_model_trained_with_clean_surroundings_receives_them_without_noise() {
    let left = Mask::rectangle(128, 128, Area { x: 0, y: 0, width: 48, height: 128 });
    let mut request = request(landscape(128, 128), vec![part(EditKind::Replace, left)]);
    request.sampler.steps = 3;
    let classes = scheduler::classes().into_iter().filter(|class| !class.is_flow);
    for scheduler in classes.map(|class| class.class_name) {
        request.sampler.scheduler = scheduler.to_owned();
        let mut trace = Trace::default();
        model().edit(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
        let kept = |step: usize| -> Vec<f32> {
            let latents = trace.get(&format!("latents_{step}")).unwrap();
            let columns = latents.dim(3).unwrap() - 3;
            latents.narrow(3, 3, columns).unwrap().flatten_all().unwrap().to_vec1().unwrap()
        };
        // Some schedulers predict more often than three times.
        let last =
            (0..).take_while(|step| trace.get(&format!("latents_{step}")).is_some()).count() - 1;
        let picture = kept(last);
        for step in 0..last {
            let latents = kept(step);
            // The latents of Euler and similar ones are larger by the factor that they divide by before the denoiser.
            let brightest = picture.iter().zip(&latents).max_by(|a, b| a.0.total_cmp(b.0)).unwrap();
            let scale = brightest.1 / brightest.0;
            let is_larger = ["Euler", "Heun", "LMS", "DPMSolverSDE"];
            let is_larger = is_larger.iter().any(|name| scheduler.starts_with(name));
            assert_eq!(is_larger, scale > 1.01, "{scheduler:?} {scale}");
            for (noised, clean) in latents.iter().zip(&picture) {
                assert!((noised - scale * clean).abs() <= 1e-3 * scale, "{scheduler:?} {step}");
            }
        }
    }
}
