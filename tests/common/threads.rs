//! The threads of this process, from `/proc/self/task` (see `proc_pid_stat(5)`).

/// Each thread's name (the first 15 bytes), nice value (19 is the lowest priority) and CPU time in clock ticks.
pub fn threads() -> Vec<(String, i32, u64)> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    let parse = |stat: String| {
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let fields = rest.split_whitespace().collect::<Vec<_>>();
        Some((name.to_owned(), fields.get(16)?.parse().ok()?, fields.get(11)?.parse().ok()?))
    };
    stats.filter_map(parse).collect()
}
