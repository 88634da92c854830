import Runtime

/// What can be wrong with a video or image file, a choice of frames, or a file to be written.
package enum MediaFailure: Failure, Equatable {
  // Reading.
  case emptyFile(path: String)
  case notMedia(path: String, reason: String)
  /// A playlist or a list of other files; only the files themselves are read.
  case playlist(path: String, format: String)
  case unsupportedFormat(path: String, format: String)
  case noVideo(path: String, streamCount: Int)
  case noFrames(path: String, reason: String)
  case missingDecoder(path: String, codec: String)
  case frameTooLarge(path: String, size: FrameSize?, limit: ReadingLimits)
  case tooManyFrames(path: String, limit: Int)
  case clipTooLarge(path: String, byteCount: Int, limit: Int)
  case tooSlow(path: String, limit: Duration)
  /// `frame` counts the frames decoded before the damage.
  case corrupt(path: String, frame: Int, reason: String)
  case noSuchFrame(path: String, index: Int, frameCount: Int)
  // Choosing frames.
  case tooFewFrames(available: Int, wanted: Int, selection: FrameSelection)
  // Writing.
  case unknownExtension(path: String)
  case fileExists(path: String)
  case folderExists(path: String)
  case oddSize(path: String, size: FrameSize)
  case notOneFrame(path: String, frameCount: Int)
  case frameRateTooHigh(path: String, rate: FrameRate, limit: Int)
  case missingEncoder(path: String, encoder: String, package: String)
  /// FFmpeg refused a step for the reason it gives.
  case library(path: String, action: String, reason: String)
  case outOfMemory(path: String)

  package var category: FailureCategory {
    switch self {
    case .unknownExtension, .fileExists, .folderExists, .oddSize, .notOneFrame, .frameRateTooHigh: .usage
    case .missingDecoder, .missingEncoder, .clipTooLarge, .tooSlow, .outOfMemory: .resources
    default: .badInput
    }
  }

  package var message: String {
    switch self {
    case .emptyFile(let path): "\(name(path)): the file is empty"
    case .notMedia(let path, let reason): "\(name(path)): not a video or image: \(printable(reason))"
    case .playlist(let path, let format):
      "\(name(path)): this is a list of other files (\(printable(format))); give the video file itself"
    case .unsupportedFormat(let path, let format):
      "\(name(path)): files of the kind '\(printable(format))' are not read; convert it to MP4, Matroska, PNG or JPEG"
    case .noVideo(let path, let streamCount):
      "\(name(path)): none of its \(streamCount) streams is a video"
    case .noFrames(let path, let reason): "\(name(path)): no frame can be decoded: \(printable(reason))"
    case .missingDecoder(let path, let codec):
      "\(name(path)): this FFmpeg build cannot decode '\(printable(codec))'; install a fuller libavcodec, "
        + "such as the package libavcodec-extra, or convert the file"
    case .frameTooLarge(let path, let size, let limit):
      "\(name(path)): frames \(size.map { "of \($0) pixels" } ?? "of this size") are refused; "
        + "the limit is \(limit.sideLength) a side and \(limit.pixelCount) pixels"
    case .tooManyFrames(let path, let limit): "\(name(path)): more than \(limit) frames; cut the video first"
    case .clipTooLarge(let path, let byteCount, let limit):
      "\(name(path)): the chosen frames take \(byteCount >> 20) MiB and the limit is \(limit >> 20) MiB; "
        + "choose fewer or smaller frames"
    case .tooSlow(let path, let limit):
      "\(name(path)): decoding took longer than the limit of \(limit.components.seconds) s"
    case .corrupt(let path, let frame, let reason):
      "\(name(path)): damaged data after \(frame) good frames (\(printable(reason))); "
        + "repair the file or convert it anew"
    case .noSuchFrame(let path, let index, let frameCount):
      "\(name(path)): frame \(index) was asked for and only \(frameCount) can be decoded"
    case .tooFewFrames(let available, let wanted, let selection):
      "the clip has \(available) frames and the selection '\(selection.rawValue)' needs \(wanted); "
        + "use 'evenly', which repeats frames, or a longer clip"
    case .unknownExtension(let path):
      "\(name(path)): the name must end in .mp4, .mkv, .gif, .png, or / for a folder of PNG files"
    case .fileExists(let path): "\(name(path)): exists already; choose another name, or give --overwrite to replace it"
    case .folderExists(let path):
      "\(name(path)): exists already, and a folder is never replaced; remove it or choose another name"
    case .oddSize(let path, let size):
      "\(name(path)): H.264 in yuv420p needs an even width and height, not \(size); "
        + "use \(size.width + size.width % 2)x\(size.height + size.height % 2), or write .mkv, which takes any size"
    case .notOneFrame(let path, let frameCount):
      "\(name(path)): a .png holds one frame, not \(frameCount); end the name in / for a folder of PNG files"
    case .frameRateTooHigh(let path, let rate, let limit):
      "\(name(path)): this format shows at most \(limit) frames per second, not \(rate)"
    case .missingEncoder(let path, let encoder, let package):
      "\(name(path)): this FFmpeg build has no encoder '\(encoder)'; install the package \(package), or write .mkv"
    case .library(let path, let action, let reason): "\(name(path)): cannot \(action): \(printable(reason))"
    case .outOfMemory(let path): "\(name(path)): not enough memory for its frames"
    }
  }

  private func name(_ path: String) -> String { printable(path, limit: 1000) }
}
