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
      Prints milliseconds (median, smallest, largest), GFLOP/s, the share of the matrix-product rate that OpenBLAS \
      reaches here, and peak memory. If the environment sets OPENBLAS_CORETYPE, unset it for this command: an older \
      kernel can halve every figure.

      Example: env -u OPENBLAS_CORETYPE vap bench block --tokens 1350
      """)

  enum Part: String, CaseIterable, ExpressibleByArgument {
    case linear, attention, block, elementwise, convolution
    case trainingBlock = "training-block"
    case vaeDecode = "vae-decode"
    case textLayer = "text-layer"
    case flow, interpolation, clip
    case wanBlock = "wan-block"
    case wanDecode = "wan-decode"
  }

  @Argument(help: "What to time; everything by default.")
  var parts: [Part] = Part.allCases

  @Option(help: "Video tokens of a stream in the transformer's parts (17550 is the published geometry).")
  var tokens = 1350

  @Option(help: "Latent frames of vae-decode and wan-decode, at 30 x 45.")
  var latentFrames = 5

  @Option(help: "Height of the frames of flow and interpolation, a multiple of 16.")
  var side = 240

  @Option(help: "How weights are stored: float32, bfloat16 or float16.")
  var dtype = "float32"

  @Flag(help: "Round what linear maps multiply to bfloat16, as training in mixed precision does.")
  var rounded = false

  @Option(help: "Timed runs of each part.")
  var runs = 5

  @Flag(inversion: .prefixedNo, help: "Precede the timed runs by one that does not count.")
  var warmUp = true

  @Flag(inversion: .prefixedNo, help: "Time the matrix products of attention and block by themselves too.")
  var products = true

  @OptionGroup var compute: ComputeOptions

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  func validate() throws {
    guard (1...1_000_000).contains(tokens) else { throw ValidationError("--tokens must be 1...1000000, not \(tokens)") }
    guard (1...1000).contains(latentFrames) else {
      throw ValidationError("--latent-frames must be 1...1000, not \(latentFrames)")
    }
    guard (128...2048).contains(side), side % 16 == 0 else {
      throw ValidationError("--side must be a multiple of 16 from 128 to 2048, not \(side)")
    }
    guard (1...1000).contains(runs) else { throw ValidationError("--runs must be 1...1000, not \(runs)") }
    guard let type = DType(rawValue: dtype), type.isWeight else {
      throw ValidationError("--dtype must be float32, bfloat16 or float16, not '\(dtype)'")
    }
  }

  func run() throws {
    compute.apply()
    let machine = BenchmarkMachine.measured()
    if !json { Self.show(Self.header(machine)) }
    let runner = BenchmarkRunner(machine: machine, runs: runs, warmsUp: warmUp, timesProducts: products)
    let results = try parts.flatMap(benchmarks).map { benchmark in
      let result = try RoundedProduct.$isEnabled.withValue(rounded) { try runner.run(benchmark) }
      if !json { Self.show(Self.line(result)) }
      return result
    }
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      print(String(decoding: try encoder.encode(BenchmarkReport(machine: machine, results: results)), as: UTF8.self))
    }
  }

  private func benchmarks(of part: Part) -> [Benchmark] {
    let type = DType(rawValue: dtype) ?? .float32
    let transformer = TransformerBenchmarks(videoTokens: tokens, dtype: type)
    return switch part {
    case .linear: transformer.linear
    case .attention: [transformer.attention]
    case .block: [transformer.block]
    case .trainingBlock: [transformer.trainingBlock]
    case .elementwise: RowBenchmarks.all
    case .convolution: AutoencoderBenchmarks.convolution(dtype: type)
    case .vaeDecode: [AutoencoderBenchmarks.decoding(latentFrames: latentFrames, dtype: type)]
    case .textLayer: [EncoderBenchmarks.layer(dtype: type)]
    case .flow: [EvaluationBenchmarks(side: side).flow]
    case .interpolation: [EvaluationBenchmarks(side: side).interpolation]
    case .clip: EvaluationBenchmarks(side: side).encoders
    case .wanBlock: [WanBenchmarks.block(tokens: tokens, dtype: type)]
    case .wanDecode: [WanBenchmarks.decoding(latentFrames: latentFrames, dtype: type)]
    }
  }

  /// Prints at once, also into a pipe: a part may take minutes.
  private static func show(_ line: String) {
    print(line)
    fflush(nil)
  }

  private static func header(_ machine: BenchmarkMachine) -> String {
    String(
      format: "%@; OpenBLAS kernels %@, row kernels %@, %d threads; matrix products reach %.1f GFLOP/s",
      machine.processor, machine.blasKernels, machine.rowKernels, machine.threads, machine.peakGigaflopsPerSecond)
  }

  private static func line(_ result: BenchmarkResult) -> String {
    let name = result.name.padding(toLength: 24, withPad: " ", startingAt: 0)
    let times = String(
      format: "%9.2f ms (%.2f...%.2f)", result.medianMilliseconds, result.minMilliseconds, result.maxMilliseconds)
    var figures = [times.padding(toLength: 36, withPad: " ", startingAt: 0)]
    if let rate = result.gigaflopsPerSecond, let share = result.fractionOfPeak {
      figures.append(String(format: "%7.1f GFLOP/s  %3.0f %% of peak", rate, 100 * share))
    }
    if let items = result.items {
      figures.append(String(format: "%7.2f ms each               ", result.medianMilliseconds / items))
    }
    if let rate = result.gigabytesPerSecond { figures.append(String(format: "%7.1f GB/s                ", rate)) }
    if let peak = result.peakMebibytes, let grown = result.grownMebibytes {
      figures.append(String(format: "%6.0f MiB peak, %.0f in the run", peak, grown))
    }
    if let milliseconds = result.productsMilliseconds, let share = result.shareOfProducts {
      figures.append(String(format: "%.0f %% of its products' rate (%.2f ms)", 100 * share, milliseconds))
    }
    return "\(name) \(figures.joined(separator: "  "))  \(result.detail)"
  }
}
