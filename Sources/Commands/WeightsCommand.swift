import ArgumentParser
import Evaluation
import Foundation
import Runtime

struct WeightsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "weights",
    abstract: "The weight files that the metrics of `vap eval` read.",
    subcommands: [WeightsListCommand.self, WeightsCheckCommand.self, WeightsConvertCommand.self])
}

struct WeightsListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Say where each file is published and what is known of it.",
    discussion: "Nothing is downloaded: fetch the files with a tool of your choice and put them into one directory.")

  func run() {
    for weights in PublishedWeights.allCases {
      print("\(weights.publishedName)  (\(weights.rawValue))")
      print("  for        \(weights.purpose)")
      print("  published  \(weights.address)")
      let size = weights.byteCount.map { "\($0) bytes" } ?? weights.approximateSize
      if let size { print("  size       \(size)") }
      let copies = weights.digestOfCopies.map { "\($0) (of copies; its authors state none)" }
      print("  sha256     \(weights.digest ?? copies ?? "not stated by its authors")")
      print("  also read  \(weights.names.dropFirst().joined(separator: ", "))")
    }
  }
}

struct WeightsCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Open each file of a directory as its metric would, and compare sizes and digests.",
    discussion: "Exits with 1 if a file is there and cannot be used. Files that are missing are only named.")

  @Argument(help: "The directory of weights.", completion: .directory)
  var directory: String

  func run() throws {
    let weights = try WeightDirectory(path: directory)
    var isUsable = true
    for published in PublishedWeights.allCases {
      try Interruption.check()
      switch try weights.check(published) {
      case .absent: print("absent    \(published.publishedName): \(published.purpose)")
      case .usable(let file, let digest): print("usable    \(Self.name(file)): \(Self.text(digest))")
      case .unusable(let file, let why):
        print("unusable  \(Self.name(file)): \(why)")
        isUsable = false
      }
    }
    if !isUsable { throw ExitCode(1) }
  }

  private static func name(_ path: String) -> String { printable(URL(fileURLWithPath: path).lastPathComponent) }

  private static func text(_ digest: WeightDirectory.Finding.Digest) -> String {
    switch digest {
    case .published: "the published file"
    case .other(let digest): "not the published file itself (sha256 \(digest))"
    case .unstated(let digest): "opens with all its tensors; its authors state no digest (sha256 \(digest))"
    }
  }
}

struct WeightsConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Rewrite PyTorch weights (.pth, .pt, .bin) as safetensors.",
    discussion: """
      The file is read by a closed reader: anything but tensors is refused by name, and nothing in it is run.

      Example: vap weights convert raft-things.pth raft-things.safetensors
      """)

  @Argument(help: "The file to read.", completion: .file())
  var source: String

  @Argument(help: "The .safetensors file to write.")
  var target: String

  @Flag(help: "Replace an existing file.") var overwrite = false

  func run() throws {
    guard target.hasSuffix(".safetensors") else { throw UsageFailure("\(printable(target)) must end in .safetensors") }
    guard overwrite || !FileManager.default.fileExists(atPath: target) else {
      throw UsageFailure("\(printable(target)) exists already; give --overwrite to replace it")
    }
    let count = try WeightConversion.convert(source, to: target)
    print("\(target): \(count) tensors")
  }
}
