import Runtime

/// Runs every case of a golden directory against this build.
package struct Verifier: Sendable {
  private let goldens: GoldenSet

  package init(directory: String) throws { goldens = try GoldenSet(directory: directory) }

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
      try run(golden, into: &comparison)
    } catch {
      let message = (error as? any Failure)?.message ?? "\(error)"
      return CaseResult(name: golden.name, verdict: .failed(message), comparison: comparison)
    }
    if comparison.passed { return CaseResult(name: golden.name, verdict: .passed, comparison: comparison) }
    return CaseResult(
      name: golden.name, verdict: .failed(comparison.firstFault ?? "nothing was compared"), comparison: comparison)
  }

  private func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    switch golden.name {
    case "tokenizer": try TextCases(goldens: goldens).runTokenizer(golden, into: &comparison)
    case "text_encoder": try TextCases(goldens: goldens).runEncoder(golden, into: &comparison)
    case "vae": try AutoencoderCases(goldens: goldens).run(golden, into: &comparison)
    case "vae_tiled": try AutoencoderCases(goldens: goldens).runTiled(golden, into: &comparison)
    case "preprocess": try PreprocessCases().run(golden, into: &comparison)
    case "scheduler_ddim": try SchedulerCases(goldens: goldens).run(golden, .ddim, into: &comparison)
    case "scheduler_dpm": try SchedulerCases(goldens: goldens).run(golden, .dpm, into: &comparison)
    case "pipeline_inputs": try PipelineCases(goldens: goldens).runInputs(golden, into: &comparison)
    case let name where name.hasPrefix("pipeline_"):
      try PipelineCases(goldens: goldens).run(golden, into: &comparison)
    case "rope": try RotaryCases(goldens: goldens).run(golden, into: &comparison)
    case "sincos_pos_embedding":
      try TransformerCases(goldens: goldens).runSinusoidalPositions(golden, into: &comparison)
    case let name where name.hasPrefix("transformer_"):
      try TransformerCases(goldens: goldens).run(golden, into: &comparison)
    case "training": try TrainingCases(goldens: goldens).run(golden, into: &comparison)
    default: throw golden.failure("is of a kind that this program does not know")
    }
  }
}
