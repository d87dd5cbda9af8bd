//! `psvc image`: what is in the cache of images.

use std::path::PathBuf;
use std::process::ExitCode;

use registry::{ImageStore, ImageSummary, Registries};

use crate::cli::ImageCommand;
use crate::data;
use crate::failure::Failure;

pub(crate) fn image(command: ImageCommand) -> Result<ExitCode, Failure> {
    match command {
        ImageCommand::Import { file, data_dir } => {
            let shown = file.display().to_string();
            let imported = open(data_dir)?.import(&file);
            let imported = imported.map_err(|error| Failure::other(format!("import `{shown}`"), error))?;
            print(&imported);
        }
        ImageCommand::List { data_dir } => {
            let images = open(data_dir)?.list().map_err(|error| Failure::other("list the images", error))?;
            println!("{:<60} {:<20} {:>10}", "REFERENCE", "DIGEST", "MIB");
            print(&images);
        }
        ImageCommand::Prune { all, data_dir } => {
            let pruned =
                open(data_dir)?.prune(all).map_err(|error| Failure::other("prune the images", error))?;
            println!("removed {} layers and {} blobs", pruned.layers, pruned.blobs);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(images: &[ImageSummary]) {
    for image in images {
        let digest: String = image.digest.chars().take(19).collect();
        let tenths = image.bytes * 10 / (1024 * 1024);
        println!("{:<60} {digest:<20} {:>8}.{}", image.reference, tenths / 10, tenths % 10);
    }
}

fn open(data_dir: Option<PathBuf>) -> Result<ImageStore, Failure> {
    let directory = data::images_directory(data_dir)?;
    ImageStore::open(directory, Registries::none()).map_err(|error| Failure::other("open the images", error))
}
