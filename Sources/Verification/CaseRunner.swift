/// How cases of one kind are run.
struct CaseRunner: Sendable {
  private let pattern: String
  let run: @Sendable (GoldenCase, inout Comparison) throws -> Void

  /// - Parameter pattern: a case's name, or the beginning of several cases' names and a star.
  init(_ pattern: String, _ run: @escaping @Sendable (GoldenCase, inout Comparison) throws -> Void) {
    self.pattern = pattern
    self.run = run
  }

  func matches(_ name: String) -> Bool {
    pattern.hasSuffix("*") ? name.hasPrefix(pattern.dropLast()) : name == pattern
  }
}

extension CaseRunner {
  /// Of several that match, the first counts.
  static func cogVideoX(_ goldens: GoldenSet) -> [CaseRunner] {
    let text = TextCases(goldens: goldens)
    let autoencoder = AutoencoderCases(goldens: goldens)
    let schedulers = SchedulerCases(goldens: goldens)
    let transformer = TransformerCases(goldens: goldens)
    let pipeline = PipelineCases(goldens: goldens)
    return [
      CaseRunner("tokenizer", text.runTokenizer),
      CaseRunner("text_encoder", text.runEncoder),
      CaseRunner("vae", autoencoder.run),
      CaseRunner("vae_tiled", autoencoder.runTiled),
      CaseRunner("preprocess", PreprocessCases().run),
      CaseRunner("scheduler_ddim") { try schedulers.run($0, .ddim, into: &$1) },
      CaseRunner("scheduler_dpm") { try schedulers.run($0, .dpm, into: &$1) },
      CaseRunner("rope", RotaryCases(goldens: goldens).run),
      CaseRunner("sincos_pos_embedding", transformer.runSinusoidalPositions),
      CaseRunner("transformer_*", transformer.run),
      CaseRunner("pipeline_inputs", pipeline.runInputs),
      CaseRunner("pipeline_*", pipeline.run),
      CaseRunner("training", TrainingCases(goldens: goldens).run),
    ]
  }

  static func wan(_ goldens: GoldenSet) -> [CaseRunner] {
    let text = WanTextCases(goldens: goldens)
    let transformer = WanTransformerCases(goldens: goldens)
    return [
      CaseRunner("tokenizer", text.runTokenizer),
      CaseRunner("umt5", text.runEncoder),
      CaseRunner("clip", WanImageCases(goldens: goldens).run),
      CaseRunner("vae", WanAutoencoderCases(goldens: goldens).run),
      CaseRunner("schedulers", WanSchedulerCases().run),
      CaseRunner("rope", transformer.runRotation),
      CaseRunner("transformer", transformer.run),
      CaseRunner("selections", PreprocessCases().runSelections),
      CaseRunner("pipeline_*", WanPipelineCases(goldens: goldens).run),
      CaseRunner("training", WanTrainingCases(goldens: goldens).run),
    ]
  }
}
