//! A program that changes an art folder is killed at random moments. Nothing that it reported as done is lost, nothing
//! else has changed, all pictures are whole, and the next program continues the work.
//!
//! `KILLS=1000 cargo test --test kills` kills it more often.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "../common/mod.rs"]
mod common;
mod facts;
mod program;

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use bevy_illustrator::{art::Take, project::Project};
use image::RgbaImage;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use common::{Fakes, gradient, inverted, parts_of, story, wait_until};
use facts::{Facts, Operation, check, facts};
use program::Report;

/// The number of kills if `KILLS` is not set.
const KILLS: u64 = 25;
/// The number of kills of one art folder. A new one follows, because the folder grows.
const KILLS_PER_FOLDER: u64 = 25;
/// The program that is killed gets the art folder in this variable.
const ART: &str = "KILLED_PROGRAM_ART";
const SEED: &str = "KILLED_PROGRAM_SEED";

fn main() {
    if let Some(root) = env::var_os(ART) {
        program::run(Path::new(&root), env::var(SEED).unwrap().parse().unwrap());
    }
    let kills = env::var("KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut operations = 0;
    for first in (0..kills).step_by(KILLS_PER_FOLDER as usize) {
        let dir = tempfile::tempdir().unwrap();
        let mut expected = Facts::new();
        for kill in first..kills.min(first + KILLS_PER_FOLDER) {
            let Killed { reported, unanswered, answered } =
                run_and_kill(dir.path(), kill, &expected);
            operations += answered.len();
            expected = reopen(dir.path(), &reported, unanswered.as_ref())
                .unwrap_or_else(|error| panic!("kill {kill}: {error}\nanswered: {answered:?}"));
        }
    }
    println!("{kills} kills during {operations} operations: nothing was lost");
}

/// The last reports of a killed program.
struct Killed {
    reported: Facts,
    unanswered: Option<Operation>,
    /// The answered operations, in order.
    answered: Vec<Operation>,
}

/// Starts the program, and kills it after a random number of reports and a random time.
fn run_and_kill(root: &Path, seed: u64, expected: &Facts) -> Killed {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let program = env::current_exe().unwrap();
    let mut program = Command::new(program)
        .envs([(ART, root.as_os_str()), (SEED, seed.to_string().as_ref())])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(program.stdout.take().unwrap());
    let mut output = Vec::new();
    for _ in 0..random.random_range(1..40) {
        stdout.read_until(b'\n', &mut output).unwrap();
    }
    thread::sleep(Duration::from_micros(random.random_range(0..4000)));
    program.kill().unwrap();
    program.wait().unwrap();
    stdout.read_to_end(&mut output).unwrap();
    // The last line may be incomplete. Its operation has not begun then.
    let complete =
        output.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let reports = complete.map(|line| serde_json::from_slice(line).unwrap()).collect::<Vec<_>>();
    let Some(Report::Facts(first)) = reports.first() else { panic!("kill {seed}: no report") };
    check(expected, first, None).unwrap_or_else(|error| panic!("before kill {seed}: {error}"));
    let mut killed = Killed { reported: Facts::new(), unanswered: None, answered: Vec::new() };
    for report in reports {
        match report {
            Report::Facts(facts) => {
                killed.answered.extend(killed.unanswered.take());
                killed.reported = facts;
            }
            Report::Begins(operation) => killed.unanswered = Some(operation),
        }
    }
    killed
}

/// Opens the art folder of a killed program, checks it, and draws the rest of the queue. Returns the facts at the end.
fn reopen(root: &Path, reported: &Facts, unanswered: Option<&Operation>) -> Result<Facts, String> {
    let fakes = Fakes::default();
    fakes.hold_after(0);
    let mut project = Project::open(story(), root, fakes.registry()).map_err(|e| e.to_string())?;
    let reopened = facts(&project);
    check(reported, &reopened, unanswered)?;
    fakes.release();
    wait_until("the queue to be empty", || {
        project.poll();
        project.is_idle()
    });
    let finished = facts(&project);
    check(&reopened, &finished, None)?;
    check_pictures(&project)?;
    // Until then, the queue may still be saved.
    drop(project);
    let left =
        files(root).into_iter().find(|path| path.contains(".broken-") || path.contains("/.tmp/"));
    left.map_or(Ok(finished), |path| Err(format!("{path} was left")))
}

/// Checks the pictures of all takes and their copies in `pictures/`.
fn check_pictures(project: &Project) -> Result<(), String> {
    let art = project.art();
    for shot in project.board().shots().iter().map(|shot| &shot.id) {
        for take in art.takes(shot).iter().chain(art.discarded(shot)) {
            let image = take.image().map_err(|error| error.to_string())?;
            if image != drawn(project, take)? {
                return Err(format!("the picture of {} is another one", take.path.display()));
            }
        }
        if let Some(shown) = project.shown(shot) {
            let copy = image::open(art.picture_path(shot)).map_err(|error| error.to_string())?;
            if copy.into_rgba8() != shown.image().map_err(|error| error.to_string())? {
                return Err(format!("pictures/ does not show the take {} of {shot}", shown.id));
            }
        }
    }
    Ok(())
}

/// The picture that the fakes draw for a take.
fn drawn(project: &Project, take: &Take) -> Result<RgbaImage, String> {
    let Some(parent) = take.parent() else { return Ok(gradient(take.recipe())) };
    let art = project.art();
    let mut takes = art.takes(&take.shot).iter().chain(art.discarded(&take.shot));
    let parent = takes.find(|take| take.id == *parent).ok_or("a parent is missing")?;
    let parent = parent.image().map_err(|error| error.to_string())?;
    Ok(inverted(&parent, &parts_of(art, take)))
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path.display().to_string()],
        })
        .collect()
}
