import ArgumentParser
import Evaluation
import Foundation
import Pages
import Runtime

struct EvalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Score a model, or finished videos of any system, on the benchmark.",
    discussion: """
      Without the name of a subcommand `vap eval` is `vap eval run`; `vap help eval run` lists its options.

      Example: vap eval --benchmark VAP-Data --model CogVideoX-VAP --weights weights --out eval-cog
      """,
    subcommands: [EvalRunCommand.self, EvalCompareCommand.self, EvalTableCommand.self],
    defaultSubcommand: EvalRunCommand.self)
}

struct EvalRunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Make the videos that are missing, score them, and write a report.",
    discussion: """
      With --model the videos of all rows are made first, each with the seed --seed plus its row; a run that was stopped \
      goes on where it was. With --videos finished files are scored: their names end in the number of their row \
      (wan_vap_bench_7.mp4). Metrics whose weights are not in --weights are named and skipped; samples without a video are \
      counted, named and left out of the means, and the exit status is then 1. Results of more rows than are asked for now \
      are not replaced.

      Writes results.json, results.csv, report.md and report.html into --out.

      Example: vap eval --benchmark VAP-Data/benchmark.csv --model CogVideoX-VAP --weights weights --out eval-cog
      """)

  @Option(help: "The benchmark's CSV file, or the data folder that holds it.", completion: .file())
  var benchmark: String

  @Option(
    help: "Folder that the table's paths are relative to (default: where the data folder is).", completion: .directory)
  var data: String?

  @Option(
    help: "Directory of a published pipeline, whose videos are made, or mini, the model that comes with the program.",
    completion: .directory)
  var model: String?

  @Option(help: "Folder of a trained expert, or of all weights of a training, over the model.", completion: .directory)
  var expert: String?

  @Option(help: "LoRA file; FILE:0.8 scales its changes. May be given several times.", completion: .file())
  var lora: [String] = []

  @Flag(
    inversion: .prefixedNo,
    help: "Show the model the references; without them, which a model without an expert needs, its backbone generates.")
  var references = true

  @Option(help: "Folder of finished videos.", completion: .directory)
  var videos: String?

  @Flag(help: "Videos show reference, target and generated beside each other; the right third is scored.")
  var threePanels = false

  @Option(
    help: """
      Metrics, separated by commas: clip-score, motion-smoothness, dynamic-degree, aesthetic-quality, psnr, ssim, and for \
      data sets of `vap data synthesize` match-pixels, match-change, speed-error (default: the first four, for such data \
      sets all).
      """)
  var metrics: String?

  @Option(help: "Directory of the metrics' weights; see `vap weights list`.", completion: .directory)
  var weights: String?

  @Option(help: "CLIP model of the CLIP score: b32 or l14.")
  var clip = MetricSuite.CLIPSize.b32

  @Option(
    name: .customLong("judge"), help: "A judge's YAML file (configs/judge); may be given for each of several.",
    completion: .file())
  var judges: [String] = []

  @Option(
    help: "Text that tells judges how to score (default: template.txt beside the judge's file).", completion: .file())
  var template: String?

  @Option(
    help: "Folder of the conditions' criteria (default: criteria beside the judge's file).", completion: .directory)
  var criteria: String?

  @Option(help: "Rows to evaluate, such as 0-3,7 (default: all).")
  var rows: String?

  @Option(help: "What tables call this system (default: the model with what is added to it, or the folder).")
  var system: String?

  @Option(help: "Folder for videos, scores and report.", completion: .directory)
  var out: String

  @Flag(inversion: .prefixedNo, help: "Put the clips into the page.")
  var clips = true

  @OptionGroup(title: "Generation") var generation: BenchmarkGenerationOptions
  @OptionGroup var compute: ComputeOptions
  @OptionGroup var filter: ContentFilterOptions

  func run() throws {
    try UsageFailure.checkIsNotEmpty(out, "--out")
    compute.apply()
    let printer = ProgressPrinter()
    defer { printer.finish() }
    let result = try EvalJob(self).run(tellsStages: printer.isTerminal) { printer.show($0) }
    printer.finish()
    print(ReportTable.overview(result).markdown)
    for sample in result.missingSamples {
      print("missing: row \(sample.row): \(sample.notes["clip"] ?? "no score could be computed")")
    }
    print("\(out)/report.html")
    if !result.missingSamples.isEmpty { throw ExitCode(1) }
  }
}

/// How the benchmark's videos are made.
struct BenchmarkGenerationOptions: ParsableArguments {
  @Option(help: "Height in pixels (default: the model's).") var height: Int?
  @Option(help: "Width in pixels (default: the model's).") var width: Int?
  @Option(help: "Number of frames (default: the model's).") var frames: Int?
  @Option(help: "Denoising steps (default: 50).") var steps: Int?
  @Option(help: "Classifier-free guidance scale (default: the model's).") var guidance: Double?
  @Option(help: "Sampling method (default: the checkpoint's).") var scheduler: String?
  @Option(help: "Seed of row 0; each row adds its number.") var seed: UInt64 = 42
  @Option(help: "Memory to stay within, for example 8G.") var memory: String?
}

/// The way round the content filter.
struct ContentFilterOptions: ParsableArguments {
  @Flag(
    inversion: .prefixedNo,
    help: "Refuse prompts in clearly harmful categories, and frames that look so where CLIP's weights are known.")
  var contentFilter = true
}

extension MetricSuite.CLIPSize: ExpressibleByArgument {}

struct EvalCompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compare two evaluations of the same benchmark, sample by sample.",
    discussion: """
      Prints, for each metric that both have, the mean difference (second minus first), its 95 % interval and the p-value \
      of a paired permutation test.

      Example: vap eval compare eval-cog eval-wan
      """)

  @Argument(help: "Folder of the first evaluation, or its results.json.", completion: .file()) var first: String
  @Argument(help: "Folder of the second.", completion: .file()) var second: String
  @Flag(help: "Print JSON instead of a table.") var json = false

  func run() throws {
    let comparison = try RunComparison(EvaluationResult(path: first), EvaluationResult(path: second))
    print(json ? String(decoding: try JSONText.encode(comparison), as: UTF8.self) : comparison.markdown, terminator: "")
  }
}
