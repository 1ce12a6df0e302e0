//! The order in which pictures are drawn.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use super::{Job, JobId};
use crate::{
    recipe::{Recipe, RecipeId},
    storyboard::ShotId,
};

/// The waiting jobs, in order. Each shot has a recipe at most once, including the running job.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Job>,
    /// The waiting jobs and the running job.
    by_picture: HashMap<(ShotId, RecipeId), JobId>,
    next_id: u64,
}

impl Queue {
    /// Queues pictures in this order, behind or in front of all others. A picture that is already
    /// queued keeps its job, which moves only if `front` is set.
    pub(super) fn push(&mut self, pictures: Vec<(ShotId, Recipe)>, front: bool) -> Vec<JobId> {
        let mut push = |(shot, recipe)| self.push_one(shot, recipe, front);
        if front {
            // Pushing to the front reverses the order.
            let mut ids = pictures.into_iter().rev().map(push).collect::<Vec<_>>();
            ids.reverse();
            ids
        } else {
            pictures.into_iter().map(&mut push).collect()
        }
    }

    fn push_one(&mut self, shot: ShotId, recipe: Recipe, front: bool) -> JobId {
        let picture = (shot, recipe.id());
        if let Some(&id) = self.by_picture.get(&picture) {
            if front {
                self.move_to_front(id);
            }
            return id;
        }
        let id = self.new_id();
        let job = Job { id, shot: picture.0.clone(), recipe: Arc::new(recipe) };
        self.by_picture.insert(picture, id);
        if front {
            self.waiting.push_front(job);
        } else {
            self.waiting.push_back(job);
        }
        id
    }

    /// Returns a new job id.
    pub(super) fn new_id(&mut self) -> JobId {
        let id = JobId(self.next_id);
        self.next_id += 1;
        id
    }

    /// Removes and returns the next job to draw. Its picture is not queued again until [`Self::forget`].
    pub(super) fn pop(&mut self) -> Option<Job> {
        self.waiting.pop_front()
    }

    /// Releases a [popped](Self::pop) job, so that its picture can be queued again.
    pub(super) fn forget(&mut self, job: &Job) {
        let picture = (job.shot.clone(), job.recipe.id());
        // After a cancellation, a new job may already have the same picture.
        if self.by_picture.get(&picture) == Some(&job.id) {
            self.by_picture.remove(&picture);
        }
    }

    /// Moves a waiting job to the front.
    pub(super) fn move_to_front(&mut self, id: JobId) {
        if let Some(job) = self.take(id) {
            self.waiting.push_front(job);
        }
    }

    /// Removes a waiting job.
    pub(super) fn remove(&mut self, id: JobId) -> Option<Job> {
        let job = self.take(id)?;
        self.forget(&job);
        Some(job)
    }

    /// Removes all waiting jobs with these ids.
    pub(super) fn remove_many(&mut self, ids: &HashSet<JobId>) -> Vec<Job> {
        let waiting = std::mem::take(&mut self.waiting);
        let (gone, left) = waiting.into_iter().partition::<Vec<_>, _>(|job| ids.contains(&job.id));
        self.waiting = left.into();
        for job in &gone {
            self.forget(job);
        }
        gone
    }

    /// Removes all waiting jobs.
    pub(super) fn remove_all(&mut self) -> VecDeque<Job> {
        let jobs = std::mem::take(&mut self.waiting);
        for job in &jobs {
            self.forget(job);
        }
        jobs
    }

    /// The waiting jobs, in order.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Job> {
        self.waiting.iter()
    }

    /// Whether no job is waiting.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn take(&mut self, id: JobId) -> Option<Job> {
        let at = self.waiting.iter().position(|job| job.id == id)?;
        self.waiting.remove(at)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::recipe::{Sampler, Size};

    fn picture(name: &str, take: u32) -> (ShotId, Recipe) {
        let recipe = Recipe {
            prompt: name.to_owned(),
            negative_prompt: String::new(),
            size: Size::new(8, 8),
            seed: 0,
            take,
            sampler: Sampler::default(),
            model: String::new(),
            vae: None,
            text_encoders: Vec::new(),
            loras: Vec::new(),
            components: BTreeMap::new(),
            inspirations: Vec::new(),
            losses: Vec::new(),
            score: false,
            edit: None,
        };
        (ShotId::new(name).unwrap(), recipe)
    }

    fn push(queue: &mut Queue, name: &str, take: u32, front: bool) -> JobId {
        queue.push(vec![picture(name, take)], front)[0]
    }

    fn order(queue: &Queue) -> Vec<u64> {
        queue.waiting().map(|job| job.id.0).collect()
    }

    #[test]
    fn a_picture_is_queued_only_once_even_while_it_is_drawn() {
        let mut queue = Queue::default();
        let a = push(&mut queue, "a", 0, false);
        let b = push(&mut queue, "b", 0, false);
        assert_eq!(push(&mut queue, "a", 0, false), a);
        assert_eq!(order(&queue), [0, 1]);
        assert_eq!(push(&mut queue, "b", 0, true), b);
        assert_eq!(order(&queue), [1, 0]);
        let drawn = queue.pop().unwrap();
        assert_eq!(push(&mut queue, "b", 0, false), b);
        assert_eq!(order(&queue), [0]);
        queue.forget(&drawn);
        assert_ne!(push(&mut queue, "b", 0, false), b);
        assert_ne!(push(&mut queue, "b", 1, false), b);
        assert_eq!(order(&queue), [0, 2, 3]);
    }

    #[test]
    fn pictures_queued_together_keep_their_order_in_front_and_behind() {
        let mut queue = Queue::default();
        let c = push(&mut queue, "c", 0, false);
        let last = queue.push(vec![picture("d", 0), picture("e", 0)], false);
        let first = queue.push(vec![picture("a", 0), picture("b", 0), picture("a", 0)], true);
        assert_eq!(first[0], first[2], "listed twice, queued once");
        let expected = [first[0], first[1], c, last[0], last[1]].map(|id| id.0);
        assert_eq!(order(&queue), expected);
    }

    #[test]
    fn a_cancelled_picture_may_be_queued_again_before_the_old_job_ends() {
        let mut queue = Queue::default();
        push(&mut queue, "a", 0, false);
        let old = queue.pop().unwrap();
        queue.forget(&old);
        let new = push(&mut queue, "a", 0, false);
        queue.forget(&old);
        assert_eq!(push(&mut queue, "a", 0, false), new);
    }

    #[test]
    fn jobs_move_to_the_front_and_are_removed() {
        let mut queue = Queue::default();
        let ids = ["a", "b", "c"].map(|name| push(&mut queue, name, 0, false));
        queue.move_to_front(ids[2]);
        queue.move_to_front(JobId(99));
        assert_eq!(order(&queue), [2, 0, 1]);
        assert_eq!(queue.remove(ids[0]).unwrap().id, ids[0]);
        assert_eq!(queue.remove(ids[0]), None);
        assert_eq!(queue.remove_all().len(), 2);
        assert!(queue.is_empty());
        assert_ne!(push(&mut queue, "a", 0, false), ids[0]);
    }
}
