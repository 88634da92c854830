import ArgumentParser
import Backbones
import Demonstration
import Foundation
import Runtime

struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Show what a reference can be used for, with the model that comes with the program.",
    discussion: """
      Makes clips with different references for one image, different references of one semantic, one reference for many \
      images, slow and quick ones, a word of the prompt changed, and conditions that were never trained. Writes index.html, \
      contact-sheet.png, and every input and result as a file of its own.

      Example: vap demo --output demo
      """)

  @Option(name: .shortAndLong, help: "Folder to write to; made if there is none.", completion: .directory)
  var output = "demo"
  @Option(help: "Another miniature in place of the embedded one.", completion: .directory) var model: String?
  @Option(help: "Denoising steps (default: the model's).") var steps: Int?
  @Option(help: "Classifier-free guidance scale (default: the model's).") var guidance: Double?
  @Option(help: "Seed of all random numbers.") var seed: UInt64 = 42
  @Flag(help: "Replace an existing demonstration.") var overwrite = false
  @OptionGroup var compute: ComputeOptions

  func run() throws {
    try UsageFailure.checkIsNotEmpty(output, "--output")
    compute.apply()
    let model = try GenerationModel(model)
    var settings = GenerateSettings()
    (settings.steps, settings.guidance, settings.seed, settings.prompt) = (steps, guidance, seed, "")
    let request = try model.request(settings)
    let demonstration = Demonstration(request, directory: output, overwrites: overwrite)
    let printer = ProgressPrinter()
    defer { printer.finish() }
    let backbone = try BackboneKind(directory: model.directory).open(directory: model.directory)
    try demonstration.run(backbone) { printer.show($0) }
    printer.finish()
    print(demonstration.page)
    print(demonstration.sheet)
  }
}
