import ArgumentParser
import Foundation
import Generation
import Media
import Runtime

struct SampleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample",
    abstract: "Render a small reference video and an image to try `vap generate` on.",
    discussion: "Writes reference.mp4 and image.png and prints captions that go with them.")

  @Argument(help: "Folder to write to; made if it does not exist.", completion: .directory)
  var directory: String

  @Flag(help: "Replace existing files.") var overwrite = false

  func run() throws {
    do {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    } catch {
      throw FileFailure(path: directory, action: "make this folder", code: EACCES)
    }
    var options = VideoWriter.Options()
    options.overwrites = overwrite
    for (clip, name, caption) in [
      (SampleScene.reference(), "reference.mp4", SampleScene.referenceCaption),
      (SampleScene.image(), "image.png", SampleScene.imageCaption),
    ] {
      try VideoWriter.write(clip, to: "\(directory)/\(name)", options: options)
      print("\(directory)/\(name): \(caption)")
    }
  }
}
