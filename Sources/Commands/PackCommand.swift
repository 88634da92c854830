import ArgumentParser
import Backbones
import Compute
import Foundation
import Runtime

struct PackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack",
    abstract: "Put trained components and the rest of a CogVideoX pipeline into one directory.",
    discussion: """
      Takes everything from --model but the folders that are given, and stores the weights of vae and transformer in \
      another type if asked. A checkpoint of a run with 'weights: full' has such a folder.

      Example: vap pack --model mini-start --vae runs/vae/vae --transformer runs/base/checkpoints/step-003600/transformer \
      --output mini-base
      """)

  @Option(help: "Directory of a pipeline.", completion: .directory) var model: String
  @Option(help: "Folder of an autoencoder in place of the model's.", completion: .directory) var vae: String?
  @Option(help: "Folder of a transformer in place of the model's.", completion: .directory) var transformer: String?
  @Flag(help: "Leave the expert out: the plain image-to-video model that it was made from.") var withoutExpert = false
  @Option(help: "How weights are stored: float16, bfloat16 or float32.") var dtype = "float16"
  @Option(name: .shortAndLong, help: "Folder to write to; made if there is none.", completion: .directory)
  var output: String

  private static let dtypes: [DType] = [.float16, .bfloat16, .float32]

  func run() throws {
    guard let dtype = Self.dtypes.first(where: { $0.rawValue == dtype }) else {
      throw UsageFailure("--dtype must be float16, bfloat16 or float32, not '\(printable(dtype))'")
    }
    for (name, option) in [(output, "--output"), (model, "--model"), (vae, "--vae"), (transformer, "--transformer")] {
      try UsageFailure.checkIsNotEmpty(name, option)
    }
    var pack = PipelinePack(model: try PipelineName.directory(model))
    (pack.autoencoder, pack.transformer, pack.dtype) = (vae, transformer, dtype)
    pack.keepsExpert = !withoutExpert
    let bytes = try pack.write(to: output)
    print("\(output): \(String(format: "%.1f", Double(bytes) / 1e6)) MB")
  }
}
