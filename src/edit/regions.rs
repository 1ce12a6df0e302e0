//! An edit at the resolution of latents.

use super::EditPlan;
use crate::{
    mask::{Area, Mask},
    recipe::Part,
};

/// The shares of the parts of an edit in the latents of its crop. Values are listed row by row.
#[derive(Clone, Debug)]
pub struct LatentRegions {
    /// The crop in latents of the whole picture.
    area: Area,
    /// Pixels along each side of a latent.
    scale: u32,
    /// For each planned part, the share of each latent that its denoise mask covers.
    shares: Vec<Vec<f32>>,
    denoise_mask: Vec<f32>,
    seeds: Vec<Option<u64>>,
}

impl LatentRegions {
    /// Converts a plan for `parts` to latents of `scale` by `scale` pixels.
    #[must_use]
    pub fn new(plan: &EditPlan, parts: &[Part], scale: u32) -> Self {
        let Area { x, y, width, height } = plan.crop;
        let area =
            Area { x: x / scale, y: y / scale, width: width / scale, height: height / scale };
        let edits = plan.parts.iter().map(|planned| &parts[planned.index].edit);
        let mut regions = Self {
            area,
            scale,
            shares: Vec::new(),
            denoise_mask: vec![0.0; (area.width * area.height) as usize],
            seeds: edits.clone().map(|edit| edit.seed).collect(),
        };
        for (planned, edit) in plan.parts.iter().zip(edits) {
            let shares = regions.per_latent(&planned.denoise_mask, |values| {
                values.map(f32::from).sum::<f32>() / (scale * scale) as f32 / 255.0
            });
            // A single changed pixel denoises its whole latent. A faint pixel denoises it less.
            let strengths = regions.per_latent(&planned.denoise_mask, |values| {
                f32::from(values.max().unwrap_or(0)) / 255.0 * edit.strength()
            });
            regions.shares.push(shares);
            let all = regions.denoise_mask.iter_mut().zip(strengths);
            all.for_each(|(strength, of_part)| *strength = strength.max(of_part));
        }
        regions
    }

    /// The crop in latents of the whole picture.
    #[must_use]
    pub fn area(&self) -> Area {
        self.area
    }

    /// The denoising strength of each latent, in 0..=1: the denoise mask of differential diffusion.
    #[must_use]
    pub fn denoise_mask(&self) -> &[f32] {
        &self.denoise_mask
    }

    /// 1 for each latent of which any pixel is in `mask`, a mask of the picture, and 0 for the others.
    #[must_use]
    pub fn touched(&self, mask: &Mask) -> Vec<f32> {
        self.per_latent(mask, |values| if values.max() > Some(0) { 1.0 } else { 0.0 })
    }

    /// The weight of each planned part at each latent. The weights at one latent add up to 1.
    #[must_use]
    pub fn weights(&self) -> Vec<Vec<f32>> {
        let total = |latent: usize| self.shares.iter().map(|shares| shares[latent]).sum::<f32>();
        let count = self.shares.len() as f32;
        let weight = |(latent, &share): (usize, &f32)| match total(latent) {
            // No part covers this latent, so it is not denoised and its prompt does not matter.
            0.0 => 1.0 / count,
            total => share / total,
        };
        let weights = |shares: &Vec<f32>| shares.iter().enumerate().map(weight).collect();
        self.shares.iter().map(weights).collect()
    }

    /// The planned parts with their own seed, each with the latents where the part is dominant. The
    /// starting noise of these latents comes from that seed.
    #[must_use]
    pub fn seeded(&self) -> Vec<(u64, Vec<bool>)> {
        let seeds = self.seeds.iter().enumerate().filter_map(|(part, seed)| Some((part, (*seed)?)));
        let latents = 0..self.denoise_mask.len();
        let dominates = |part| latents.clone().map(|i| self.dominant_part(i) == part).collect();
        seeds.map(|(part, seed)| (seed, dominates(part))).collect()
    }

    /// The planned part with the largest share of a latent. If shares are equal, the topmost part.
    fn dominant_part(&self, latent: usize) -> usize {
        let share = |&part: &usize| self.shares[part][latent];
        let by_share = |a: &usize, b: &usize| share(a).total_cmp(&share(b));
        // `max_by` returns the last of equal elements.
        (0..self.shares.len()).rev().max_by(by_share).unwrap_or(0)
    }

    /// Reduces the values of a mask within each latent to one number.
    fn per_latent(
        &self,
        mask: &Mask,
        reduce: impl Fn(&mut dyn Iterator<Item = u8>) -> f32,
    ) -> Vec<f32> {
        let values = |latent| self.pixels(latent).map(|(x, y)| mask.at(x, y));
        (0..self.denoise_mask.len()).map(|latent| reduce(&mut values(latent))).collect()
    }

    /// The pixels of a latent, in the whole picture.
    fn pixels(&self, latent: usize) -> impl Iterator<Item = (u32, u32)> + use<> {
        let (latent, scale) = (latent as u32, self.scale);
        let left = (self.area.x + latent % self.area.width) * scale;
        let top = (self.area.y + latent / self.area.width) * scale;
        (0..scale * scale).map(move |i| (left + i % scale, top + i / scale))
    }
}
