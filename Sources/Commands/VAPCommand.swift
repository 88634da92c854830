import ArgumentParser
import Runtime

/// The program `vap`.
package struct VAPCommand: ParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "vap",
    abstract: "Video-As-Prompt: make a video whose subject undergoes what a reference video shows.",
    version: programVersion,
    subcommands: [
      GenerateCommand.self, TrainCommand.self, EncodeCommand.self, DataCommand.self, EvalCommand.self,
      StudyCommand.self,
      WeightsCommand.self, InitCommand.self, PackCommand.self, InspectCommand.self, SampleCommand.self,
      DemoCommand.self,
      VerifyCommand.self, BenchCommand.self,
    ])

  package init() {}
}
