import Backbones
import Runtime

/// Runs every case of a golden directory against this build.
package struct Verifier: Sendable {
  private let goldens: GoldenSet
  private let runners: [CaseRunner]

  package init(directory: String) throws {
    goldens = try GoldenSet(directory: directory)
    guard !goldens.isEvaluation else {
      runners = CaseRunner.evaluation(goldens)
      return
    }
    switch try BackboneKind(directory: goldens.checkpoint) {
    case .cogVideoX: runners = CaseRunner.cogVideoX(goldens)
    case .wan: runners = CaseRunner.wan(goldens)
    }
  }

  package var cases: [GoldenCase] { goldens.cases }

  /// Runs one case after the other; `report` gets each result as soon as it is known.
  ///
  /// A case that cannot be run (a missing tensor, a checkpoint that does not load) is a failed case; only an interruption
  /// ends the run.
  package func run(_ report: (CaseResult) -> Void) throws(Interrupted) -> Bool {
    var passed = true
    for golden in goldens.cases {
      try Interruption.check()
      let result = verdict(on: golden)
      if case .failed = result.verdict { passed = false }
      report(result)
    }
    return passed
  }

  package func verdict(on golden: GoldenCase) -> CaseResult {
    var comparison = Comparison()
    do {
      guard let runner = runners.first(where: { $0.matches(golden.name) }) else {
        throw golden.failure("is of a kind that this program does not know")
      }
      try runner.run(golden, &comparison)
    } catch {
      let message = (error as? any Failure)?.message ?? "\(error)"
      return CaseResult(name: golden.name, verdict: .failed(message), comparison: comparison)
    }
    if comparison.passed { return CaseResult(name: golden.name, verdict: .passed, comparison: comparison) }
    return CaseResult(
      name: golden.name, verdict: .failed(comparison.firstFault ?? "nothing was compared"), comparison: comparison)
  }
}
