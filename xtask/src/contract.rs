//! Counting the runs of the contract suite.
//!
//! The suite stamps one test per case into a module named after the run (`contract_sqlite::a_case`), so the runners' own
//! output says how many cases passed on which backend.

use std::fmt::Write as _;

/// One run of the suite: a backend on a platform.
struct Contract {
    name: &'static str,
    /// The step of `cargo xtask test` that runs it.
    step: &'static str,
    /// The module that its cases are stamped into.
    module: &'static str,
    passed: u32,
    failed: u32,
}

/// The runs of the suite that `cargo xtask test` has to see.
pub struct Contracts(Vec<Contract>);

impl Contracts {
    /// All of them, with nothing counted yet.
    pub fn new() -> Self {
        let runs = [
            ("memory", "native", "contract_memory"),
            ("sqlite", "native", "contract_sqlite"),
            ("json", "native", "contract_json"),
            ("json-reopened", "native", "contract_json_reopened"),
            ("own", "native", "contract_own"),
            ("postgres", "postgres", "contract_postgres"),
            ("memory-node", "wasm-node", "contract_memory"),
            ("memory-browser", "wasm-browser", "contract_memory_browser"),
            ("indexeddb", "wasm-browser", "contract_indexeddb"),
            ("indexeddb-reopened", "wasm-browser", "contract_indexeddb_reopened"),
        ];
        Self(runs.map(|(name, step, module)| Contract { name, step, module, passed: 0, failed: 0 }).into())
    }

    /// Counts a line of a runner's output, if it is a case of a run of this step.
    pub fn count(&mut self, step: &str, line: &str) {
        let Some((test, outcome)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ... ")) else {
            return;
        };
        let runs = self.0.iter_mut().filter(|run| run.step == step);
        for run in runs.filter(|run| test.split("::").any(|module| module == run.module)) {
            match outcome.split([',', ' ']).next() {
                Some("ok") => run.passed += 1,
                // An ignored case is a promise that nobody checks.
                Some("FAILED" | "FAIL" | "ignored") => run.failed += 1,
                _ => {}
            }
        }
    }

    /// One line per run of these steps.
    pub fn summary(&self, steps: &[&str]) -> String {
        let mut text = String::new();
        for Contract { name, passed, failed, .. } in self.of(steps) {
            let _ = writeln!(text, "contract {name}: {passed} passed, {failed} failed");
        }
        text
    }

    /// The names of the runs of these steps in which a case failed, or none passed.
    pub fn unkept(&self, steps: &[&str]) -> Vec<&'static str> {
        self.of(steps).filter(|run| run.failed > 0 || run.passed == 0).map(|run| run.name).collect()
    }

    fn of(&self, steps: &[&str]) -> impl Iterator<Item = &Contract> {
        self.0.iter().filter(move |run| steps.contains(&run.step))
    }
}

#[cfg(test)]
mod tests {
    use super::Contracts;

    fn counted(step: &str, lines: &[&str]) -> String {
        let mut contracts = Contracts::new();
        for line in lines {
            contracts.count(step, line);
        }
        contracts.summary(&[step])
    }

    #[test]
    fn cases_are_counted_for_the_module_they_are_in() {
        let lines = [
            "running 4 tests",
            "test contract_memory::an_expired_lease_can_be_claimed_again ... ok",
            "test contract_memory::tasks::a_nested_case ... ok",
            "test contract_sqlite::a_case ... FAILED",
            "test service::tasks::tests::not_of_the_suite ... ok",
            "test result: FAILED. 3 passed; 1 failed",
        ];
        assert_eq!(
            counted("native", &lines),
            "contract memory: 2 passed, 0 failed\n\
             contract sqlite: 0 passed, 1 failed\n\
             contract json: 0 passed, 0 failed\n\
             contract json-reopened: 0 passed, 0 failed\n\
             contract own: 0 passed, 0 failed\n"
        );
    }

    #[test]
    fn the_same_module_is_another_run_in_another_step() {
        let line = ["test contract_memory::a_case ... ok"];
        assert_eq!(counted("wasm-node", &line), "contract memory-node: 1 passed, 0 failed\n");
    }

    #[test]
    fn a_module_whose_name_begins_like_another_is_not_counted_for_it() {
        let lines = [
            "test contract_indexeddb_reopened::a_case ... ok",
            "test contract_indexeddb::a_case ... FAIL",
            "test contract_memory_browser::a_case ... ignored, why",
        ];
        assert_eq!(
            counted("wasm-browser", &lines),
            "contract memory-browser: 0 passed, 1 failed\n\
             contract indexeddb: 0 passed, 1 failed\n\
             contract indexeddb-reopened: 1 passed, 0 failed\n"
        );
    }

    #[test]
    fn a_run_without_a_passed_case_is_not_kept() {
        let mut contracts = Contracts::new();
        contracts.count("native", "test contract_memory::a_case ... ok");
        assert_eq!(contracts.unkept(&["native"]), ["sqlite", "json", "json-reopened", "own"]);
        assert_eq!(contracts.unkept(&["wasm-node"]), ["memory-node"]);
        assert!(contracts.unkept(&["fmt"]).is_empty());
    }
}
