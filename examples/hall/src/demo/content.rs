//! What the demonstration consists of. Its files lie in `demo/`, a folder for each language, as they will be in the drive.

use include_dir::{Dir, include_dir};

use super::people::Person;
use crate::site::Language;

static CHINESE_FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/demo/zh-CN");
static ENGLISH_FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/demo/en");

/// The demonstration in one language.
#[derive(Debug)]
pub(super) struct Content {
    /// The one folder that everything lies in; its name says what it is.
    pub(super) folder: &'static str,
    pub(super) files: &'static Dir<'static>,
    /// What lies in the trash: its name and its bytes.
    pub(super) deleted: (&'static str, &'static [u8]),
    pub(super) shares: &'static [Shared],
    pub(super) people: &'static [Person],
}

/// A folder that is shared.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) folder: &'static str,
    /// Also said in the file that explains the demonstration.
    pub(super) password: Option<&'static str>,
    pub(super) drop: bool,
}

impl Content {
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::Chinese => &CHINESE,
            Language::English => &ENGLISH,
        }
    }
}

const fn open(folder: &'static str) -> Shared {
    Shared {
        folder,
        password: None,
        drop: false,
    }
}

const fn closed(folder: &'static str) -> Shared {
    Shared {
        folder,
        password: Some("campus-demo"),
        drop: false,
    }
}

const fn drop(folder: &'static str) -> Shared {
    Shared {
        folder,
        password: None,
        drop: true,
    }
}

const fn person(username: &'static str, display_name: &'static str, locked: bool) -> Person {
    Person {
        username,
        display_name,
        locked,
    }
}

static CHINESE: Content = Content {
    folder: "演示内容",
    files: &CHINESE_FILES,
    deleted: (
        "上学期课表（已作废）.csv",
        "节次,星期一,星期二\n1-2,高等数学,大学英语\n".as_bytes(),
    ),
    shares: &[open("公告"), closed("课程资料"), drop("作业提交")],
    people: &[
        person("demo-lihua", "李华（演示）", false),
        person("demo-wangfang", "王芳（演示）", false),
        person("demo-zhangwei", "张伟（演示，已锁定）", true),
    ],
};

static ENGLISH: Content = Content {
    folder: "Demo content",
    files: &ENGLISH_FILES,
    deleted: (
        "Last term's timetable (obsolete).csv",
        b"Period,Monday,Tuesday\n1-2,Calculus,Physics\n",
    ),
    shares: &[
        open("Notices"),
        closed("Course materials"),
        drop("Homework hand-in"),
    ],
    people: &[
        person("demo-grace", "Grace (demo)", false),
        person("demo-alan", "Alan (demo)", false),
        person("demo-edith", "Edith (demo, locked)", true),
    ],
};
