//! Random histories of an art folder on a disk that fails.
//!
//! `SIMULATED_HISTORIES=1000000 cargo test --lib art::simulator` runs more of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use image::{Rgba, RgbaImage};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Fault, ForeignWrite, SimulatedStore};
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
    /// The contents of files that another program writes.
    foreign: Vec<Vec<u8>>,
    /// Takes over whose files another program has painted. They may be anywhere.
    painted: BTreeSet<(ShotId, TakeId)>,
}

/// What another program writes.
enum Foreign {
    Take((ShotId, TakeId)),
    Marks((ShotId, TakeId), Marks),
    Blob(BlobId),
    Ledger(Box<Ledger>),
    Picture,
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
        let store = SimulatedStore::new();
        let store = match seed % 3 {
            0 => store.without_exchange(),
            1 => store.without_flags(),
            _ => store,
        };
        let store = Arc::new(store);
        let art = open(&store).unwrap();
        let expected = Expected {
            takes: BTreeMap::new(),
            ledger: vec![Ledger::default()],
            marks: BTreeMap::new(),
            pictures: BTreeMap::new(),
            blobs: BTreeMap::new(),
            foreign: Vec::new(),
            painted: BTreeSet::new(),
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
            let foreign = self.random.random_bool(0.3).then(|| self.write_foreign());
            self.act();
            foreign.into_iter().for_each(|foreign| self.allow(foreign));
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

    /// Lets another program write one of the files, between two calls of the next action.
    fn write_foreign(&mut self) -> Foreign {
        let number = self.random.random_range(0..u64::MAX);
        let shot = shots()[self.random.random_range(0..2)].clone();
        let takes: Vec<(ShotId, TakeId)> = self.expected.takes.keys().cloned().collect();
        let take = takes.get(self.random.random_range(0..takes.len().max(1))).cloned();
        let blobs: Vec<BlobId> = self.expected.blobs.keys().cloned().collect();
        let blob = blobs.get(self.random.random_range(0..blobs.len().max(1))).cloned();
        let picture = format!("painted {number}").into_bytes();
        let (path, bytes, foreign) = match (self.random.random_range(0..5), take, blob) {
            (0, Some((shot, take)), _) => {
                let folder = ["takes", "discarded"][self.random.random_range(0..2)];
                (format!("{folder}/{shot}/{take}.png"), picture, Foreign::Take((shot, take)))
            }
            (1, Some((shot, take)), _) => {
                let layers = vec![Layer::new(format!("part {number}"), Mask::full(2, 2))];
                let marks = Marks { layers, context: None };
                let bytes = serde_json::to_vec(&marks).unwrap();
                let path = format!("parts/{shot}/{take}.json");
                (path, bytes, Foreign::Marks((shot, take), marks))
            }
            (2, _, Some(blob)) => (format!("blobs/{blob}.png"), picture, Foreign::Blob(blob)),
            (3, ..) => {
                let words = ShotWords { seed: Some(number), ..ShotWords::default() };
                let words = [(shot, words)].into_iter().collect();
                let ledger = Ledger { words, ..Ledger::default() };
                let bytes = ron::to_string(&ledger).unwrap().into_bytes();
                ("ledger.ron".to_owned(), bytes, Foreign::Ledger(Box::new(ledger)))
            }
            _ => (format!("pictures/{shot}.png"), picture, Foreign::Picture),
        };
        let (calls, in_place) = (self.random.random_range(0..8), self.random.random_bool(0.5));
        self.events.push(format!("another program writes {path} after {calls} calls"));
        self.expected.foreign.push(bytes.clone());
        self.store.write_foreign_after(calls, ForeignWrite { path: path.into(), bytes, in_place });
        foreign
    }

    /// Allows the states after another program has written a file during the last action.
    fn allow(&mut self, foreign: Foreign) {
        let expected = &mut self.expected;
        match foreign {
            Foreign::Take(key) => drop(expected.painted.insert(key)),
            Foreign::Marks(key, marks) => {
                let allowed = expected.marks.entry(key);
                allowed.or_insert_with(|| vec![Marks::default()]).push(marks);
            }
            Foreign::Blob(id) => drop(expected.blobs.remove(&id)),
            Foreign::Ledger(ledger) => expected.ledger.push(*ledger),
            Foreign::Picture => {}
        }
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

    /// The current ledger with a change; `None` if it stays the same.
    fn ledger(&self, change: impl FnOnce(&mut Ledger)) -> Option<Ledger> {
        let mut ledger = self.art.ledger().clone();
        change(&mut ledger);
        (ledger != *self.art.ledger()).then_some(ledger)
    }

    fn changed_ledger(&mut self, ledger: Option<Ledger>, done: bool) {
        self.events.push(format!("ledger {ledger:?}: {done}"));
        // A ledger that stays the same is not written.
        let Some(ledger) = ledger else { return };
        if done {
            self.expected.ledger.clear();
        }
        self.expected.ledger.push(ledger);
    }

    fn set_marks(&mut self, shot: ShotId) {
        let takes = self.art.takes(&shot).to_vec();
        let Some(take) = self.any(&takes) else { return };
        // As the panel does.
        if self.art.marks(&shot, &take.id).is_ok() {
            let path = format!("parts/{shot}/{}.json", take.id);
            self.store.forget_foreign(Path::new(&path));
        }
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
        let painted = &expected.painted;
        let takes = expected.takes.iter_mut().filter(|(take, _)| !painted.contains(take));
        for ((shot, id), places) in takes {
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
        let contents = self.store.contents();
        for file in self.store.foreign_files() {
            assert!(contents.contains(&file), "{} is lost", String::from_utf8_lossy(&file));
        }
        self.store.forget_foreign(Path::new("ledger.ron"));
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
            if picture.as_ref().is_some_and(|it| expected.foreign.contains(it)) {
                continue;
            }
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
        assert_eq!(art.folder.list(&art.root().join(".tmp")).unwrap(), []);
    }
}
