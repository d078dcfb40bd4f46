//! The contract suite: what every backend has to do, written once.
//!
//! A case is an async function that is given a [`Subject`]: an empty store with a clock that only the case moves. A
//! backend is stamped with all of them by naming a [`Place`] where such stores are found:
//!
//! ```
//! swarmstore::contract!(contract_memory, swarmstore::testing::Url::memory());
//! # fn main() {}
//! ```
//!
//! This makes one test per case, in a module of that name: `#[test]` natively, `#[wasm_bindgen_test]` in wasm (where the
//! crate `wasm-bindgen-test` has to be among the dev-dependencies). Every case ends with an integrity check of the store.
//!
//! A new case is a function in the file of its noun below [`cases`], and one line in the list in `list.rs`.

#[cfg(not(target_family = "wasm"))]
mod block_on;
pub mod cases;
mod clock;
mod kit;
mod list;
mod place;
mod subject;

#[cfg(target_family = "wasm")]
pub use crate::backend::web::{check_segments, check_vfs};
#[cfg(not(target_family = "wasm"))]
pub use block_on::block_on;
pub use clock::{START, TestClock};
pub use place::{Opening, Place, Url};
pub use subject::{Subject, run};

/// Stamps one test per case of the contract suite into a module of this name.
///
/// The second argument makes the [`Place`](crate::testing::Place) of one case; it is evaluated for each.
#[macro_export]
macro_rules! contract {
    ($run:ident, $place:expr) => {
        fn $run() -> impl $crate::testing::Place {
            $place
        }

        mod $run {
            $crate::__contract_cases!([$crate::__contract_tests] $run);
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __contract_tests {
    ($run:ident; $($noun:ident { $($case:ident,)* })*) => {$(
        mod $noun {
            $(
                #[cfg(not(target_family = "wasm"))]
                #[test]
                fn $case() {
                    let place = super::super::$run();
                    $crate::testing::block_on($crate::testing::run(place, $crate::testing::cases::$noun::$case));
                }

                #[cfg(target_family = "wasm")]
                #[::wasm_bindgen_test::wasm_bindgen_test]
                async fn $case() {
                    let place = super::super::$run();
                    $crate::testing::run(place, $crate::testing::cases::$noun::$case).await;
                }
            )*
        }
    )*};
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    macro_rules! names {
        ($run:ident; $($noun:ident { $($case:ident,)* })*) => {
            &[$((stringify!($noun), include_str!(concat!("cases/", stringify!($noun), ".rs")), &[$(stringify!($case),)*]),)*]
        };
    }

    type Noun = (&'static str, &'static str, &'static [&'static str]);

    #[test]
    fn every_case_that_is_written_is_on_the_list() {
        let nouns: &[Noun] = crate::__contract_cases!([names] none);
        for (noun, source, listed) in nouns {
            let written: BTreeSet<&str> = source
                .lines()
                .filter_map(|line| line.trim_start().strip_prefix("pub async fn "))
                // What a macro makes has no name yet.
                .filter(|line| !line.starts_with('$'))
                .filter_map(|line| line.split('(').next().map(str::trim_end))
                .collect();
            let listed: BTreeSet<&str> = listed.iter().copied().collect();
            assert_eq!(written, listed, "{noun}");
        }
    }
}
