//! An edit at the size of latents: when each begins to move, under whose words, from which noise.

use candle_core::{Device, Result, Tensor};

use super::{EditPlan, EditRequest};
use crate::{
    diffusion::{DiffusionError, pipeline::Noise},
    mask::{Area, Mask},
};

/// The latents of a context box.
pub(super) struct Cells {
    /// In latents of the whole picture.
    area: Area,
    scale: u32,
    /// For each part that changes something, how much of each latent is drawn for it.
    shares: Vec<Vec<f32>>,
    /// Seeds of the parts' own noise.
    seeds: Vec<Option<u64>>,
    /// How much of the way from noise each latent goes anew.
    strengths: Vec<f32>,
}

impl Cells {
    pub fn new(plan: &EditPlan, request: &EditRequest, scale: usize) -> Self {
        let scale = scale as u32;
        let Area { x, y, width, height } = plan.context;
        let area =
            Area { x: x / scale, y: y / scale, width: width / scale, height: height / scale };
        let edits = plan.parts.iter().map(|part| &request.edit.parts[part.index].edit);
        let mut cells = Self {
            area,
            scale,
            shares: Vec::new(),
            seeds: edits.clone().map(|edit| edit.seed).collect(),
            strengths: vec![0.0; (area.width * area.height) as usize],
        };
        for (part, edit) in plan.parts.iter().zip(edits) {
            let shares = cells.per_latent(&part.denoise, |values| {
                values.map(f32::from).sum::<f32>() / (scale * scale) as f32 / 255.0
            });
            // One pixel that changes moves all of its latent; a faint one moves it less.
            let strengths = cells.per_latent(&part.denoise, |values| {
                f32::from(values.max().unwrap_or(0)) / 255.0 * edit.strength()
            });
            cells.shares.push(shares);
            let all = cells.strengths.iter_mut().zip(strengths);
            all.for_each(|(strength, part)| *strength = strength.max(part));
        }
        cells
    }

    /// How much of the way from noise each latent goes anew, (1, 1, height, width).
    pub fn denoise_mask(&self) -> Result<Tensor> {
        self.tensor(self.strengths.clone(), &Device::Cpu)
    }

    /// The first step at which anything moves.
    pub fn first_step(&self, steps: usize) -> usize {
        (0..steps).find(|&step| self.moves(steps).any(|begins| begins <= step)).unwrap_or(0)
    }

    /// The latents before a step: those that move already go on, those that begin now begin, all others are
    /// kept.
    pub fn place(
        &self,
        step: usize,
        steps: usize,
        moving: &Tensor,
        beginning: &Tensor,
        kept: &Tensor,
        device: &Device,
    ) -> Result<Tensor> {
        let begun = self.choice(self.moves(steps).map(|begins| begins < step), moving, device)?;
        let begins = self.choice(self.moves(steps).map(|begins| begins == step), moving, device)?;
        begun.where_cond(moving, &begins.where_cond(beginning, kept)?)
    }

    /// The finished latents, with those that never moved as they were.
    pub fn keep(
        &self,
        latents: &Tensor,
        original: &Tensor,
        steps: usize,
        device: &Device,
    ) -> Result<Tensor> {
        let moved = self.choice(self.moves(steps).map(|begins| begins < steps), latents, device)?;
        moved.where_cond(latents, original)
    }

    /// The pixels of the context box whose latents moved.
    pub fn settled(&self, steps: usize) -> Mask {
        let moves = self.moves(steps).map(|begins| begins < steps).collect::<Vec<_>>();
        let (width, height) = (self.area.width * self.scale, self.area.height * self.scale);
        Mask::from_fn(width, height, |x, y| {
            let cell = y / self.scale * self.area.width + x / self.scale;
            if moves[cell as usize] { u8::MAX } else { 0 }
        })
    }

    /// Each part's share in the answers, (1, 1, height, width): together 1 everywhere.
    pub fn weights(&self, device: &Device) -> Result<Vec<Tensor>> {
        let total = |i: usize| self.shares.iter().map(|shares| shares[i]).sum::<f32>();
        let count = self.shares.len() as f32;
        let weights = |shares: &Vec<f32>| {
            let weight = |(i, &share): (usize, &f32)| match total(i) {
                // What no part claims is kept: any words will do.
                0.0 => 1.0 / count,
                total => share / total,
            };
            self.tensor(shares.iter().enumerate().map(weight).collect(), device)
        };
        self.shares.iter().map(weights).collect()
    }

    /// The noise of the context box: the picture's, or where a part with a seed of its own has most to say,
    /// that of its seed.
    pub fn noise(
        &self,
        request: &EditRequest,
        whole: impl Fn(&Noise) -> std::result::Result<Tensor, DiffusionError>,
    ) -> std::result::Result<Tensor, DiffusionError> {
        let here = |noise: Tensor| {
            let Area { x, y, width, height } = self.area;
            let rows = noise.narrow(2, y as usize, height as usize)?;
            rows.narrow(3, x as usize, width as usize)?.contiguous()
        };
        let mut noise = here(whole(&request.noise)?)?;
        for (part, seed) in self.seeds.iter().enumerate() {
            let Some(seed) = *seed else { continue };
            let own = here(whole(&Noise::Seed(seed))?)?;
            let leads = (0..self.strengths.len()).map(|i| self.leader(i) == part);
            noise = self.choice(leads, &noise, noise.device())?.where_cond(&own, &noise)?;
        }
        Ok(noise)
    }

    /// The part with most to say about a latent; the uppermost where none has anything to say.
    fn leader(&self, cell: usize) -> usize {
        let claim = |&part: &usize| self.shares[part][cell];
        let most = |a: &usize, b: &usize| claim(a).total_cmp(&claim(b));
        // The first of equals: `max_by` alone would take the last.
        (0..self.shares.len()).rev().max_by(most).unwrap_or(0)
    }

    /// The step at which each latent begins to move; `steps` for those that never do. As in diffusers,
    /// `steps * strength` steps are gone, rounded down.
    fn moves(&self, steps: usize) -> impl Iterator<Item = usize> {
        let most = self.strengths.iter().copied().fold(0.0, f32::max);
        self.strengths.iter().map(move |&strength| {
            // 0.7 of 10 is 7, though not as floats are multiplied.
            let count = (steps as f64 * f64::from(strength) + 1e-4) as usize;
            // Whatever is asked for most moves for one step at least.
            let least = usize::from(strength == most && most > 0.0);
            steps - count.clamp(least, steps)
        })
    }

    /// What the values of a mask within each latent come to.
    fn per_latent(
        &self,
        mask: &Mask,
        come_to: impl Fn(&mut dyn Iterator<Item = u8>) -> f32,
    ) -> Vec<f32> {
        let values = |cell| self.pixels(cell).map(|(x, y)| mask.at(x, y));
        (0..self.strengths.len()).map(|cell| come_to(&mut values(cell))).collect()
    }

    /// The pixels of a latent, in the whole picture.
    fn pixels(&self, cell: usize) -> impl Iterator<Item = (u32, u32)> + use<> {
        let (cell, scale) = (cell as u32, self.scale);
        let left = (self.area.x + cell % self.area.width) * scale;
        let top = (self.area.y + cell / self.area.width) * scale;
        (0..scale * scale).map(move |i| (left + i % scale, top + i / scale))
    }

    /// What chooses between tensors of the shape of `like`, latent by latent.
    fn choice(
        &self,
        cells: impl Iterator<Item = bool>,
        like: &Tensor,
        device: &Device,
    ) -> Result<Tensor> {
        let shape = (1, 1, self.area.height as usize, self.area.width as usize);
        let cells = Tensor::from_vec(cells.map(u8::from).collect::<Vec<_>>(), shape, device)?;
        cells.broadcast_as(like.shape())?.contiguous()
    }

    fn tensor(&self, values: Vec<f32>, device: &Device) -> Result<Tensor> {
        let shape = (1, 1, self.area.height as usize, self.area.width as usize);
        Tensor::from_vec(values, shape, device)
    }
}
