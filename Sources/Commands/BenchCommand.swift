import ArgumentParser
import Benchmarks
import Compute
import Foundation
import Runtime

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time the program's parts on this machine.",
    discussion: """
      Prints milliseconds, GFLOP/s and the share of the matrix-product rate that OpenBLAS reaches here. If the \
      environment sets OPENBLAS_CORETYPE, unset it for this command: an older kernel can halve every figure.

      Example: env -u OPENBLAS_CORETYPE vap bench block --tokens 1350
      """)

  enum Part: String, CaseIterable, ExpressibleByArgument {
    case linear, attention, block
  }

  @Argument(help: "What to time; everything by default.")
  var parts: [Part] = Part.allCases

  @Option(help: "Video tokens of a stream in the transformer's benchmarks (17550 is the published geometry).")
  var tokens = 1350

  @Option(help: "How weights are stored: float32, bfloat16 or float16.")
  var dtype = "float32"

  @Option(help: "Timed runs of each part.")
  var runs = 5

  @OptionGroup var compute: ComputeOptions

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  func validate() throws {
    guard tokens > 0, tokens <= 1_000_000 else { throw ValidationError("--tokens must be 1...1000000") }
    guard (1...1000).contains(runs) else { throw ValidationError("--runs must be 1...1000") }
    guard let type = DType(rawValue: dtype), type.isWeight else {
      throw ValidationError("--dtype must be float32, bfloat16 or float16")
    }
  }

  func run() throws {
    compute.apply()
    let type = DType(rawValue: dtype) ?? .float32
    let benchmarks = parts.flatMap { part in
      switch part {
      case .linear: TransformerBenchmarks.linear(videoTokens: tokens, dtype: type)
      case .attention: [TransformerBenchmarks.attention(videoTokens: tokens)]
      case .block: [TransformerBenchmarks.block(videoTokens: tokens, dtype: type)]
      }
    }
    let report = try BenchmarkRunner(runs: runs).run(benchmarks) { result in
      if !json { print(Self.line(result)) }
    }
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      print(String(decoding: try encoder.encode(report), as: UTF8.self))
    } else {
      print(
        String(
          format: "%@; OpenBLAS kernels %@, row kernels %@, %d threads; matrix products reach %.1f GFLOP/s",
          report.processor, report.blasKernels, report.rowKernels, report.threads, report.peakGigaflopsPerSecond))
    }
  }

  private static func line(_ result: BenchmarkResult) -> String {
    let name = result.name.padding(toLength: 24, withPad: " ", startingAt: 0)
    let figures = String(
      format: "%9.2f ms (%.2f...%.2f)  %7.1f GFLOP/s  %3.0f %% of peak", result.medianMilliseconds,
      result.minMilliseconds, result.maxMilliseconds, result.gigaflopsPerSecond, 100 * result.fractionOfPeak)
    return "\(name) \(figures)  \(result.detail)"
  }
}
