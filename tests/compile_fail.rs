//! What a column cannot be compared with is shown by the compiler. The messages are kept beside the programs; after a change of
//! the toolchain or of the types, `TRYBUILD=overwrite cargo test --test compile_fail` writes them anew.
#![cfg(not(target_family = "wasm"))]

#[test]
fn a_comparison_that_makes_no_sense_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
