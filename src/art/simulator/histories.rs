//! Random histories of an art folder on a disk that fails.
//!
//! `SIMULATED_HISTORIES=1000000 cargo test --lib art::simulator` runs more of them.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use image::{Rgba, RgbaImage};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Fault, SimulatedStore};
use crate::{
    art::{Art, ArtError, Ledger, Provenance, Take, TakeId, folder::Folder, picture_file},
    generator::ModelCard,
    mask::Mask,
    recipe::{Blob, BlobId, Layer, Marks, Recipe, Size},
    storyboard::{ShotId, ShotWords},
};

const HISTORIES: u64 = 10_000;
const ACTIONS: usize = 12;
const FAULTS: [Fault; 5] =
    [Fault::Full, Fault::Refused, Fault::Late, Fault::PowerLossBefore, Fault::PowerLossAfter];

/// Everything in an art folder that must not be lost. Each value is the set of states that are allowed: one after a
/// success, the old and the new one after a failure.
#[derive(Debug)]
struct Expected {
    takes: BTreeMap<(ShotId, TakeId), Vec<Place>>,
    ledger: Vec<Ledger>,
    marks: BTreeMap<(ShotId, TakeId), Vec<Marks>>,
    /// The take that `pictures/` has for a shot.
    pictures: BTreeMap<ShotId, Vec<Option<TakeId>>>,
    blobs: BTreeMap<BlobId, Blob>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Nowhere,
    Takes,
    Discarded,
}

struct History {
    random: ChaCha8Rng,
    store: Arc<SimulatedStore>,
    art: Art,
    expected: Expected,
    /// The actions, faults and openings so far, for the message of a failure.
    events: Vec<String>,
}

#[test]
fn no_history_of_faults_loses_anything() {
    let histories = std::env::var("SIMULATED_HISTORIES").ok();
    let histories = histories.map_or(HISTORIES, |number| number.parse().unwrap());
    for seed in 0..histories {
        let mut history = History::new(seed);
        let result = catch_unwind(AssertUnwindSafe(|| history.run()));
        assert!(result.is_ok(), "history {seed} fails: {:#?}", history.events);
    }
}

fn open(store: &Arc<SimulatedStore>) -> Result<Art, ArtError> {
    let store = Arc::clone(store);
    Art::load(Folder::over(PathBuf::from("/art"), store)?)
}

fn shots() -> [ShotId; 2] {
    ["a", "b"].map(|name| ShotId::new(name).unwrap())
}

/// A recipe, and the picture that is drawn from it.
fn drawn(number: u32) -> (RgbaImage, Provenance) {
    let recipe = Recipe::new("a bay", Size::new(2, 2), "fake").with_take(number);
    let image = RgbaImage::from_pixel(2, 2, Rgba([number as u8, 1, 2, 255]));
    (image, Provenance::now(recipe, ModelCard::default(), Duration::ZERO))
}

impl History {
    fn new(seed: u64) -> Self {
        let store = Arc::new(SimulatedStore::new());
        let art = open(&store).unwrap();
        let expected = Expected {
            takes: BTreeMap::new(),
            ledger: vec![Ledger::default()],
            marks: BTreeMap::new(),
            pictures: BTreeMap::new(),
            blobs: BTreeMap::new(),
        };
        let random = ChaCha8Rng::seed_from_u64(seed);
        Self { random, store, art, expected, events: Vec::new() }
    }

    fn run(&mut self) {
        for _ in 0..ACTIONS {
            if self.random.random_bool(0.3) {
                let fault = FAULTS[self.random.random_range(0..FAULTS.len())];
                let calls = self.random.random_range(0..6);
                self.events.push(format!("{fault:?} after {calls} calls"));
                self.store.fail_after(calls, fault);
            }
            self.act();
            self.store.heal();
            if !self.store.has_power() {
                let Self { random, store, .. } = self;
                self.store = Arc::new(store.restarted(|| random.random_bool(0.5)));
                self.reopen(true);
            } else if self.random.random_bool(0.1) {
                self.reopen(false);
            }
        }
        // The power is lost at the end, too: what was reported as done is on the disk.
        self.store = Arc::new(self.store.restarted(|| false));
        self.reopen(true);
    }

    fn act(&mut self) {
        let shot = shots()[self.random.random_range(0..2)].clone();
        match self.random.random_range(0..9) {
            0 | 1 => self.draw(shot),
            2 => self.discard(shot),
            3 => self.restore(shot),
            4 => self.accept(shot),
            5 => self.set_words(shot),
            6 => self.set_marks(shot),
            7 => self.publish(shot),
            _ => self.put_blob(),
        }
    }

    /// One of the takes that are listed.
    fn any(&mut self, takes: &[Take]) -> Option<Take> {
        let at = self.random.random_range(0..takes.len().max(1));
        takes.get(at).cloned()
    }

    fn draw(&mut self, shot: ShotId) {
        let (image, provenance) = drawn(self.random.random_range(0..4));
        let key = (shot.clone(), provenance.take_id());
        let result = self.art.writer().write(&shot, &image, provenance);
        self.events.push(format!("draw {key:?}: {:?}", result.as_ref().err()));
        let places = self.expected.takes.entry(key).or_insert_with(|| vec![Place::Nowhere]);
        match result {
            Ok(take) => {
                self.art.enter(take);
                // A discarded copy stays: the take is listed as drawn.
                *places = vec![Place::Takes];
            }
            Err(_) => places.push(Place::Takes),
        }
    }

    fn discard(&mut self, shot: ShotId) {
        let takes = self.art.takes(&shot).to_vec();
        let Some(take) = self.any(&takes) else { return };
        let key = (shot.clone(), take.id.clone());
        let ledger = self.ledger(|ledger| {
            ledger.accepted.retain(|other, id| (other, &*id) != (&shot, &take.id));
        });
        let done = self.art.discard(&shot, &take.id).is_ok();
        self.move_to(key, Place::Discarded, done);
        // The take is discarded even if the ledger cannot be written: a discarded take has no effect there.
        self.changed_ledger(ledger, false);
    }

    fn restore(&mut self, shot: ShotId) {
        let takes = self.art.discarded(&shot).to_vec();
        let Some(take) = self.any(&takes) else { return };
        let done = self.art.restore(&shot, &take.id).is_ok();
        self.move_to((shot, take.id), Place::Takes, done);
    }

    fn move_to(&mut self, key: (ShotId, TakeId), place: Place, done: bool) {
        self.events.push(format!("move {key:?} to {place:?}: {done}"));
        let places = self.expected.takes.entry(key).or_default();
        if done {
            places.clear();
        }
        places.push(place);
    }

    fn accept(&mut self, shot: ShotId) {
        let takes = self.art.takes(&shot).to_vec();
        let Some(take) = self.any(&takes) else { return };
        let ledger =
            self.ledger(|ledger| drop(ledger.accepted.insert(shot.clone(), take.id.clone())));
        let done = self.art.accept(&shot, &take.id).is_ok();
        self.changed_ledger(ledger, done);
    }

    fn set_words(&mut self, shot: ShotId) {
        let seed = Some(self.random.random_range(0..100));
        let words = ShotWords { seed, ..ShotWords::default() };
        let ledger = self.ledger(|ledger| drop(ledger.words.insert(shot.clone(), words.clone())));
        let done = self.art.set_words(&shot, words).is_ok();
        self.changed_ledger(ledger, done);
    }

    /// The current ledger with a change.
    fn ledger(&self, change: impl FnOnce(&mut Ledger)) -> Ledger {
        let mut ledger = self.art.ledger().clone();
        change(&mut ledger);
        ledger
    }

    fn changed_ledger(&mut self, ledger: Ledger, done: bool) {
        self.events.push(format!("ledger {ledger:?}: {done}"));
        if done {
            self.expected.ledger.clear();
        }
        self.expected.ledger.push(ledger);
    }

    fn set_marks(&mut self, shot: ShotId) {
        let takes = self.art.takes(&shot).to_vec();
        let Some(take) = self.any(&takes) else { return };
        let name = format!("part {}", self.random.random_range(0..100));
        let marks = Marks { layers: vec![Layer::new(name, Mask::full(2, 2))], context: None };
        let done = self.art.set_marks(&shot, &take.id, &marks).is_ok();
        self.events.push(format!("marks of {shot} {}: {done}", take.id));
        let allowed = self.expected.marks.entry((shot, take.id));
        let allowed = allowed.or_insert_with(|| vec![Marks::default()]);
        if done {
            allowed.clear();
        }
        allowed.push(marks);
    }

    fn publish(&mut self, shot: ShotId) {
        let takes = self.art.takes(&shot).to_vec();
        let take = self.any(&takes).filter(|_| self.random.random_bool(0.8));
        let writer = self.art.writer();
        let done = match &take {
            Some(take) => writer.publish(take).is_ok(),
            None => writer.unpublish(&shot).is_ok(),
        };
        let id = take.map(|take| take.id);
        self.events.push(format!("publish {shot} {id:?}: {done}"));
        let allowed = self.expected.pictures.entry(shot).or_insert_with(|| vec![None]);
        if done {
            allowed.clear();
        }
        allowed.push(id);
    }

    fn put_blob(&mut self) {
        let mask = Mask::from_fn(2, 2, |_, _| self.random.random_range(0..4));
        let blob = Blob::Mask(mask);
        if let Ok(id) = self.art.blobs().put(&blob) {
            self.expected.blobs.insert(id, blob);
        }
    }

    /// Opens the folder again, and checks that it is in an allowed state. After a loss of power that state is certain.
    /// Otherwise only the ledger is: opening the folder makes it durable.
    fn reopen(&mut self, is_certain: bool) {
        self.events.push(format!("opened, certain: {is_certain}"));
        self.art = open(&self.store).unwrap();
        let Self { art, expected, .. } = self;
        let ledger = art.ledger();
        assert!(expected.ledger.contains(ledger), "{ledger:?} is not in {:?}", expected.ledger);
        expected.ledger = vec![art.ledger().clone()];
        for ((shot, id), places) in &mut expected.takes {
            let take = [
                (Place::Takes, art.take(shot, id)),
                (Place::Discarded, art.discarded_take(shot, id)),
            ];
            let found = take.into_iter().find_map(|(place, take)| Some((place, take.ok()?)));
            let place = found.map_or(Place::Nowhere, |(place, _)| place);
            assert!(places.contains(&place), "take {id} is in {place:?}, not in {places:?}");
            if is_certain {
                *places = vec![place];
            }
            if let Some((_, take)) = found {
                let (image, _) = drawn(take.recipe().take);
                assert_eq!(art.writer().image(shot, id).unwrap(), image);
            }
        }
        let known = shots().iter().map(|shot| art.with_discarded(shot).count()).sum::<usize>();
        assert!(known <= 2 * expected.takes.len());
        for ((shot, id), allowed) in &mut expected.marks {
            if let Ok(marks) = art.marks(shot, id) {
                assert!(allowed.contains(&marks), "marks of {id}: {marks:?}");
                if is_certain {
                    *allowed = vec![marks];
                }
            }
        }
        for (shot, allowed) in &mut expected.pictures {
            let picture = art.folder.read(&art.picture_path(shot)).unwrap();
            let picture = picture.map(|bytes| {
                let file = picture_file::read(std::io::Cursor::new(bytes)).unwrap();
                Provenance::try_from(file).unwrap().take_id()
            });
            assert!(allowed.contains(&picture), "{picture:?} is published, not {allowed:?}");
            if is_certain {
                *allowed = vec![picture];
            }
        }
        for (id, blob) in &expected.blobs {
            assert_eq!(&art.blobs().get(id).unwrap(), blob);
        }
        assert!(art.folder.list(&art.root().join(".tmp")).unwrap().is_empty());
    }
}
