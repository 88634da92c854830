import ArgumentParser
import Backbones
import Checkpoints
import Compute
import Foundation
import Generation
import Layers
import Runtime

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what a checkpoint directory or a LoRA file holds and what it needs.",
    discussion: """
      Opens every component, holds its weights against its configuration, and estimates the memory of a generation. \
      With --strict every weight is read and checked to be a number.

      With --expert and --lora they are held against the model too.

      Example: vap inspect CogVideoX-VAP --frames 49 --references 2
      """)

  @Argument(help: "Directory of a published pipeline, or mini, or a LoRA file.", completion: .file())
  var directory: String

  @Option(help: "Folder of a trained expert to lay over the transformer.", completion: .directory) var expert: String?
  @Option(name: .customLong("lora"), help: "LoRA file of the transformer, FILE or FILE:0.8.", completion: .file())
  var adapters: [String] = []

  @Option(help: "Height in pixels of the generation to estimate.") var height: Int?
  @Option(help: "Width in pixels.") var width: Int?
  @Option(help: "Number of frames.") var frames: Int?
  @Option(help: "Number of reference videos.") var references = 1
  @Flag(help: "Read all weights and fail if any is NaN or infinite.") var strict = false

  func validate() throws {
    guard (0...16).contains(references) else { throw ValidationError("--references must be 0...16") }
  }

  func run() throws {
    if directory.hasSuffix(".safetensors") { return print(Self.describe(try AdapterFile(path: directory))) }
    let directory = try PipelineName.directory(directory)
    let additions = try TransformerAdditions(expert: expert, adapterTexts: adapters)
    let backbone = try BackboneKind(directory: directory).open(directory: directory, additions: additions)
    let components = try backbone.components()
    for component in components { print(Self.describe(component)) }
    for file in additions.adapters { print(Self.describe(file)) }
    let natural = backbone.naturalGeometry
    let geometry = ClipGeometry(
      height: height ?? natural.height, width: width ?? natural.width, frames: frames ?? natural.frames)
    let referenceCount = backbone.hasExpert ? references : 0
    try backbone.check(geometry, referenceCount: referenceCount)
    let stages = try backbone.memoryNeeds(geometry, referenceCount: referenceCount, isGuided: true)
    print("memory for \(geometry), \(referenceCount) references, with guidance (weights in memory / weights paged)")
    for stage in stages {
      let label = stage.name.padding(toLength: 30, withPad: " ", startingAt: 0)
      let whole = byteText(stage.peak(paging: .keep, usesTiles: false))
      print("  \(label) \(whole) / \(byteText(stage.peak(paging: .release, usesTiles: false)))")
    }
    if strict { try Self.checkWeights(of: components.map(\.name), in: directory) }
  }

  private static func checkWeights(of components: [String], in directory: String) throws {
    for component in components {
      try Interruption.check()
      let store = try WeightStore(directory: "\(directory)/\(component)")
      try store.checkFinite(store.names)
      print("\(component): all weights are numbers")
    }
  }

  private static func describe(_ file: AdapterFile) -> String {
    var facts = [
      ("ranks", file.ranks.map(String.init).joined(separator: ", ")), ("linear maps", "\(file.paths.count)"),
      ("parameters", grouped(file.parameterCount)),
    ]
    if let alpha = file.alpha { facts.insert(("alpha", "\(alpha)"), at: 1) }
    facts += file.notes.sorted { $0.key < $1.key }.map { (printable($0.key), printable($0.value)) }
    let lines = facts.map { "  " + $0.0.padding(toLength: 18, withPad: " ", startingAt: 0) + " " + $0.1 }
    return (["LoRA \(printable(file.path))"] + lines).joined(separator: "\n")
  }

  private static func describe(_ component: ComponentSummary) -> String {
    var lines = [component.name]
    for fact in component.facts {
      lines.append("  " + fact.name.padding(toLength: 18, withPad: " ", startingAt: 0) + " " + fact.value)
    }
    let types = component.parameters.sorted { $0.value > $1.value }.map { "\(grouped($0.value)) \($0.key.rawValue)" }
    lines.append("  parameters         \(types.joined(separator: ", ")) in \(component.tensorCount) tensors")
    if component.expertParameters > 0 {
      lines.append("  of the expert      \(grouped(component.expertParameters))")
    }
    lines.append("  on disk            \(byteText(component.byteCount))")
    if let first = component.unexpected.first {
      lines.append("  unused tensors     \(component.unexpected.count), for example \(printable(first))")
    }
    return lines.joined(separator: "\n")
  }

  /// 1234567 -> "1,234,567"
  private static func grouped(_ count: Int) -> String {
    let digits = Array(String(count))
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return text
  }
}
